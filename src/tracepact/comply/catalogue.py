"""The checks as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.comply.run import all_checks
from tracepact.comply.settings import THRESHOLDS
from tracepact.lint.catalogue import rule_lines


def catalogue() -> str:
    """Markdown: the thresholds, then every check with its outcomes and an example."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("## Thresholds", "")
    yield from ("| setting | default | check | what |", "| --- | --- | --- | --- |")
    for each in THRESHOLDS:
        yield f"| `{each.key}` | {each.default:g} | {each.check} | {each.meaning} |"
    yield from ("", "## Checks", "")
    for check in all_checks().values():
        start, _, why, *rest = list(rule_lines(check.rule))[2:]
        yield f"### {check.rule.id} {check.title}"
        yield from ("", f"`{check.rule.name}`: {start.partition('* ')[2]}", "")
        outcomes = {"Fails": check.fails, "Warns": check.warns, "Skipped": check.skips}
        for word, when in outcomes.items():
            if when:
                yield f"- {word}: {when}."
        yield from ("", why, *rest)
