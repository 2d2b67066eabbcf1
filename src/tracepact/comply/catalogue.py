"""The checks as text for a terminal, and as pages of the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.comply.check import Check
from tracepact.comply.run import all_checks
from tracepact.comply.settings import THRESHOLDS
from tracepact.lint.catalogue import rule_lines


def catalogue() -> str:
    """Markdown: the thresholds, then every check with its outcomes and an example."""
    return "\n".join(_lines()) + "\n"


def thresholds() -> str:
    """Markdown: what can be set, and the checks that it is for."""
    return "\n".join(_thresholds()) + "\n"


def index() -> str:
    """Markdown: a table of the checks, with links to their pages."""
    lines = ["| check | what it asks |", "| --- | --- |"]
    for check in all_checks().values():
        lines.append(f"| [{check.rule.id}](comply/{check.rule.id}.md) | {check.title} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Markdown by file name: a page for every check."""
    found: dict[str, str] = {}
    for check in all_checks().values():
        first, *rest = _check_lines(check)
        lines = ["# " + first.lstrip("# "), *rest, "[All of them](../comply.md)", ""]
        found[f"{check.rule.id}.md"] = "\n".join(lines)
    return found


def _lines() -> Iterator[str]:
    yield from ("## Thresholds", "", *_thresholds(), "", "## Checks", "")
    for check in all_checks().values():
        yield from _check_lines(check)


def _thresholds() -> Iterator[str]:
    yield from ("| setting | default | check | what |", "| --- | --- | --- | --- |")
    for each in THRESHOLDS:
        yield f"| `{each.key}` | {each.default:g} | {each.check} | {each.meaning} |"


def _check_lines(check: Check) -> Iterator[str]:
    start, _, why, *rest = list(rule_lines(check.rule))[2:]
    yield f"### {check.rule.id} {check.title}"
    yield from ("", f"`{check.rule.name}`: {start.partition('* ')[2]}", "")
    outcomes = {"Fails": check.fails, "Warns": check.warns, "Skipped": check.skips}
    for word, when in outcomes.items():
        if when:
            yield f"- {word}: {when}."
    yield from ("", why, *rest)
