"""The rules as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.lint.rule import Rule
from tracepact.lint.run import all_gates, all_rules


def catalogue() -> str:
    """Markdown: gates in order, then every rule with its examples."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    for name, rules in all_rules().items():
        gate = all_gates().get(name)
        yield f"## {name}"
        yield ""
        if gate is None:
            yield "What is said about the comments that accept findings."
        else:
            yield f"Gate {gate.order}. {gate.summary}"
        yield ""
        for rule in rules:
            yield from rule_lines(rule)


def rule_lines(rule: Rule) -> Iterator[str]:
    """One rule: what it finds, why, and an example."""
    yield f"### {rule.id} {rule.name}"
    yield ""
    yield f"*{rule.severity.capitalize()}.* {rule.what}"
    yield ""
    yield f"**Why:** {rule.why}"
    yield ""
    yield from (f"```{rule.language}", "# not so", rule.bad, "# but so", rule.good, "```", "")
