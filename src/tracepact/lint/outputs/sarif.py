"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from tracepact.config import __version__
from tracepact.lint.baseline import FINGERPRINT, Known, fingerprints
from tracepact.lint.fixes import Edit, edit_of
from tracepact.lint.rule import SEVERITIES, Finding, Rule, Severity
from tracepact.lint.run import Report
from tracepact.lint.source import relative

_LEVELS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "info": "note"}
_MOST_RESULTS: Final = 25_000
"""GitHub refuses a run with more; the least severe are left out, and the log says so."""


def render(report: Report) -> str:
    """One run with the whole catalogue of rules; suppressed findings are marked as such."""
    rules = [(name, rule) for name, of_gate in report.rules.items() for rule in of_gate]
    index = {rule.id: place for place, (_, rule) in enumerate(rules)}
    pairs = list(zip(report.findings, fingerprints(report.findings), strict=True))
    pairs.sort(key=lambda pair: SEVERITIES.index(pair[0].severity))
    results = [_result(*pair, report, index) for pair in pairs[:_MOST_RESULTS]]
    gone = [_gone(known, index) for known in report.absent or ()]
    results += gone[: _MOST_RESULTS - len(results)]
    left_out = len(pairs) + len(gone) - len(results)
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if left_out:
        text = f"{left_out} less severe findings are left out"
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    run = {
        "tool": {
            "driver": {
                "name": "tracepact",
                "semanticVersion": __version__,
                "rules": [_rule(name, rule) for name, rule in rules],
            }
        },
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {
            "SRCROOT": {"description": {"text": f"Where {report.command} was started."}}
        },
        "results": results,
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(gate: str, rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": rule.name.replace("-", " ").capitalize() + "."},
        "fullDescription": {"text": rule.what.replace("`", "")},
        "help": {"text": f"{rule.what}\n\n{rule.why}".replace("`", ""), "markdown": _help(rule)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [gate]},
    }


def _help(rule: Rule) -> str:
    return (
        f"{rule.what}\n\n{rule.why}\n\nNot so:\n\n```{rule.language}\n{rule.bad}\n```\n\n"
        f"But so:\n\n```{rule.language}\n{rule.good}\n```\n"
    )


def _result(finding: Finding, mark: str, report: Report, index: dict[str, int]) -> dict[str, Any]:
    place = finding.location
    artifact = _artifact(relative(place.file))
    text = f"{finding.message}; {finding.hint}" if finding.hint else finding.message
    region = {"startLine": place.line, "startColumn": place.column or 1}
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": index[finding.rule.id],
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
        "partialFingerprints": {FINGERPRINT: mark},
        "suppressions": [{"kind": "inSource"}] if finding.suppressed else [],
    }
    if report.absent is not None:
        result["baselineState"] = "unchanged" if finding.known else "new"
    file = report.files.get(place.file)
    edit = None if file is None else edit_of(finding, file)
    if edit is not None and edit.safe:
        result["fixes"] = [_fix(edit, artifact)]
    return result


def _fix(edit: Edit, artifact: dict[str, Any]) -> dict[str, Any]:
    region = {
        "startLine": edit.line,
        "startColumn": edit.column,
        "endLine": edit.end_line,
        "endColumn": edit.end_column,
    }
    replacement: dict[str, Any] = {"deletedRegion": region}
    if edit.text:
        replacement["insertedContent"] = {"text": edit.text}
    what = f"Write {edit.text}." if edit.text else "Remove the comment."
    return {
        "description": {"text": what},
        "artifactChanges": [{"artifactLocation": artifact, "replacements": [replacement]}],
    }


def _gone(known: Known, index: dict[str, int]) -> dict[str, Any]:
    region = {"startLine": max(1, known.line), "startColumn": max(1, known.column)}
    artifact = _artifact(known.file)
    return {
        "ruleId": known.rule,
        "ruleIndex": index[known.rule],
        "message": {"text": known.message},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
        "partialFingerprints": {FINGERPRINT: known.fingerprint},
        "baselineState": "absent",
    }


def _artifact(file: str) -> dict[str, Any]:
    if PurePosixPath(file).is_absolute():
        return {"uri": "file://" + quote(file)}
    return {"uri": quote(file), "uriBaseId": "SRCROOT"}
