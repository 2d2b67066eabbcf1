"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from tracepact.config import __version__
from tracepact.lint.outputs._base import relative
from tracepact.lint.rule import SEVERITIES, Finding, Rule, Severity
from tracepact.lint.run import Report, all_rules

_LEVELS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "info": "note"}
_MOST_RESULTS: Final = 25_000
"""GitHub refuses a run with more; the least severe are left out, and the log says so."""


def render(report: Report) -> str:
    """One run with the whole catalogue of rules; suppressed findings are marked as such."""
    rules = [(name, rule) for name, of_gate in all_rules().items() for rule in of_gate]
    index = {rule.id: place for place, (_, rule) in enumerate(rules)}
    ordered = sorted(report.findings, key=lambda one: SEVERITIES.index(one.severity))
    seen: Counter[str] = Counter()
    results = [_result(one, index, seen) for one in ordered[:_MOST_RESULTS]]
    left_out = len(ordered) - len(results)
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
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "Where lint was started."}}},
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
        f"{rule.what}\n\n{rule.why}\n\nNot so:\n\n```yaml\n{rule.bad}\n```\n\n"
        f"But so:\n\n```yaml\n{rule.good}\n```\n"
    )


def _result(finding: Finding, index: dict[str, int], seen: Counter[str]) -> dict[str, Any]:
    place = finding.location
    file = relative(place.file)
    artifact: dict[str, Any] = {"uri": quote(file)}
    if not PurePosixPath(file).is_absolute():
        artifact["uriBaseId"] = "SRCROOT"
    else:
        artifact["uri"] = "file://" + artifact["uri"]
    text = f"{finding.message}; {finding.hint}" if finding.hint else finding.message
    region = {"startLine": place.line, "startColumn": place.column or 1}
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": index[finding.rule.id],
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
        "partialFingerprints": {"tracepactFinding/v1": _fingerprint(finding, file, seen)},
        "suppressions": [{"kind": "inSource"}] if finding.suppressed else [],
    }
    return result


def _fingerprint(finding: Finding, file: str, seen: Counter[str]) -> str:
    """The same as long as the finding is, wherever in the file it moves."""
    key = "\0".join((finding.rule.id, file, finding.equation, finding.message))
    seen[key] += 1
    data = f"{key}\0{seen[key]}".encode("utf-8", "backslashreplace")
    return hashlib.sha256(data).hexdigest()[:32]
