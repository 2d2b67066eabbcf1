"""CB-1207: contracts keep up with the code that is bound to them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from tracepact.comply.check import Check, Verdict, count, judged, skipped
from tracepact.comply.history import HistoryError, last_changes
from tracepact.comply.project import Project
from tracepact.lint.rule import Finding, Rule

RULE = Rule(
    id="CB-1207",
    severity="warning",
    name="contract-drifts",
    what="A contract did not change for a long time, and code that is bound to it did.",
    why="Then it may describe what the code used to do.",
    bad="# last change: January; the softmax that is bound to it: June\nequations: {softmax: …}",
    good="# looked at and changed with the code\nequations: {softmax: …}",
)

_DAY_S = 86_400


def _run(project: Project) -> Verdict:
    pairs = sorted(_pairs(project))
    if not pairs:
        return skipped("no function is bound to a contract of the project")
    files = {path for _, *paths in pairs for path in paths}
    try:
        changed = last_changes(project.folder, files)
    except HistoryError as error:
        return skipped(str(error))
    findings = list(_findings(project, pairs, changed))
    stems = {stem for stem, *_ in pairs}
    drifting = len({finding.contract for finding in findings})
    return judged(f"{count(len(stems), 'bound contract')}, {drifting} drifting", findings)


def _pairs(project: Project) -> set[tuple[str, Path, Path]]:
    """Contract, its file, and a file with a function that is bound to it."""
    own = {contract.stem: contract.path for contract in project.own}
    found = ((e, project.by_name.get((e.module_path, e.function))) for e in project.claims)
    return {
        (entry.contract, own[entry.contract], Path(function.location.file))
        for entry, function in found
        if function is not None and entry.contract in own
    }


def _findings(
    project: Project, pairs: list[tuple[str, Path, Path]], changed: dict[Path, float]
) -> Iterator[Finding]:
    most = project.threshold("max-age-days")
    now = time.time()
    places = {file.path: file.start for file in project.files}
    for stem, path, code in pairs:
        age = (now - changed[path]) / _DAY_S
        since = (changed[code] - changed[path]) / _DAY_S
        if age > most and since > 0:
            message = f"{code.name} changed {since:.0f} days after the contract, {age:.0f} days old"
            hint = f"compare it with {code}, and change it or say that it still holds"
            yield RULE.at(places[path], message, hint, contract=stem)


CHECK = Check(
    rule=RULE,
    title="contracts keep up with code",
    fails="",
    warns="a contract is older than `max-age-days`, and code that is bound to it is newer",
    skips="no binding of own contracts, no git, no repository, or a shallow clone",
    run=_run,
)
