"""Findings of an earlier run, which are not counted again: any `sarif` or `json` report of lint."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from tracepact.errors import ConfigError
from tracepact.lint.rule import Finding
from tracepact.lint.source import relative

FINGERPRINT: Final = "tracepactFinding/v1"
"""How SARIF's `partialFingerprints` call it."""

_NUMBER: Final = re.compile(r"(?<!\S)\d+(?:\.\d+)?(?=\s|%|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One finding of a baseline, as that says it."""

    fingerprint: str
    rule: str
    message: str
    file: str
    line: int
    column: int


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """One for each finding: the same as long as it is, wherever in its file it moves.

    They depend on the rule, the file as seen from the current folder, the equation and the
    message without its numbers, which count things; of findings that share all of these, on their
    order.
    """
    seen: Counter[str] = Counter()
    found = []
    for finding in findings:
        parts = (finding.rule.id, relative(finding.location.file), finding.equation)
        key = "\0".join((*parts, _NUMBER.sub("0", finding.message)))
        seen[key] += 1
        data = f"{key}\0{seen[key]}".encode("utf-8", "backslashreplace")
        found.append(hashlib.sha256(data).hexdigest()[:32])
    return found


def marked(findings: Sequence[Finding], baseline: Iterable[Known]) -> list[Finding]:
    """The findings; those that the baseline has are marked as known."""
    known = {one.fingerprint for one in baseline}
    pairs = zip(findings, fingerprints(findings), strict=True)
    return [replace(one, known=True) if print_ in known else one for one, print_ in pairs]


def absent(
    baseline: Iterable[Known], findings: Iterable[Finding], files: Set[str], rules: Set[str]
) -> tuple[Known, ...]:
    """What the baseline has and this run has not, where it looked.

    Args:
        baseline: Earlier findings.
        findings: All of this run.
        files: Files that were looked at, as seen from the current folder.
        rules: Ids of the rules that ran.
    """
    there = set(fingerprints(findings))
    return tuple(
        one
        for one in baseline
        if one.fingerprint not in there
        and one.rule in rules
        and (one.file in files or not Path(one.file).exists())
    )


def read_baseline(path: Path) -> tuple[Known, ...]:
    """The findings of a report.

    Raises:
        ConfigError: The file cannot be read, or is no such report.
    """
    advice = "write one with tracepact lint PATH --format sarif --output FILE"
    try:
        document = json.loads(path.read_bytes())
        read = _of_sarif if "runs" in document else _of_json
        return tuple(read(document))
    except OSError as error:
        raise ConfigError(f"--baseline {path}: {error.strerror}; {advice}") from None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        raise ConfigError(f"--baseline {path} is no report of lint; {advice}") from None


def _of_sarif(document: Any) -> Iterator[Known]:
    for run in document["runs"]:
        for result in run.get("results") or ():
            mark = result.get("partialFingerprints", {}).get(FINGERPRINT)
            if mark is None or result.get("baselineState") == "absent":
                continue
            place = result["locations"][0]["physicalLocation"]
            uri = unquote(place["artifactLocation"]["uri"]).removeprefix("file://")
            region = place["region"]
            yield Known(
                fingerprint=_text(mark),
                rule=_text(result["ruleId"]),
                message=_text(result["message"]["text"]),
                file=_text(uri),
                line=int(region["startLine"]),
                column=int(region["startColumn"]),
            )


def _of_json(document: Any) -> Iterator[Known]:
    for finding in document["findings"]:
        yield Known(
            fingerprint=_text(finding["fingerprint"]),
            rule=_text(finding["rule"]),
            message=_text(finding["message"]),
            file=_text(finding["file"]),
            line=int(finding["line"]),
            column=int(finding["column"]),
        )


def _text(value: Any) -> str:
    """The text of a file that anybody may have written, such that it can be written again."""
    return str(value).encode("utf-8", "replace").decode()
