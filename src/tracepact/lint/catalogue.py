"""The rules as text for a terminal, and as pages of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracepact.lint.rule import Rule
from tracepact.lint.run import all_gates, all_rules


def catalogue() -> str:
    """Markdown: gates in order, then every rule with its examples."""
    return "\n".join(_lines()) + "\n"


def index() -> str:
    """Markdown: a table of the gates, each with links to the pages of its rules."""
    lines = ["| gate | what it does | rules |", "| --- | --- | --- |"]
    for name, rules in all_rules().items():
        links = ", ".join(f"[{rule.id}](lint/{rule.id}.md)" for rule in rules)
        lines.append(f"| [{name}](lint/{name}.md) | {_summary(name)} | {links} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Markdown by file name: a page for every gate, and one for every rule."""
    found: dict[str, str] = {}
    for name, rules in all_rules().items():
        table = ["| rule | | finds |", "| --- | --- | --- |"]
        for rule in rules:
            table.append(
                f"| [{rule.id}]({rule.id}.md) {rule.name} | {rule.severity} | {rule.what} |"
            )
            found[f"{rule.id}.md"] = _page(rule_lines(rule), f"Gate [{name}]({name}.md)")
        lines = [f"# {name}", "", _summary(name), "", *table, "", _UP.format("lint"), ""]
        found[f"{name}.md"] = "\n".join(lines)
    return found


_UP = "[All of them](../{}.md)"


def _page(lines: Iterable[str], where: str) -> str:
    first, *rest = lines
    return "\n".join(["# " + first.lstrip("# "), *rest, f"{where}. {_UP.format('lint')}", ""])


def _summary(name: str) -> str:
    gate = all_gates().get(name)
    if gate is None:
        return "What is said about the comments that accept findings."
    return f"Gate {gate.order}. {gate.summary}"


def _lines() -> Iterator[str]:
    for name, rules in all_rules().items():
        yield from (f"## {name}", "", _summary(name), "")
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
