"""All gates over all files: in order, by selection, and not further than the first one allows."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, Literal

from tracepact.bindings import Bindings
from tracepact.evidence import Result
from tracepact.lint import gates as gate_modules
from tracepact.lint.baseline import Known, absent, marked
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import SEVERITIES, Finding, Rule, Severity
from tracepact.lint.settings import Settings, chosen
from tracepact.lint.source import LintFile, open_paths, relative
from tracepact.lint.sources import public_functions
from tracepact.lint.suppressions import STALE, apply
from tracepact.score import gather, read_sources

_FIRST: Final = "validate"
_SUPPRESSIONS: Final = "suppressions"


@dataclass(frozen=True, slots=True)
class GateResult:
    """What came of one gate, or check; `reason` says why it was skipped, or what was looked at."""

    name: str
    order: int
    status: Literal["passed", "warned", "failed", "skipped"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a run found.

    Attributes:
        findings: By file, line and column; suppressed ones too.
        gates: In order.
        linted: Number of files that were looked at.
        files: All files, by the name that locations have.
        absent: What the baseline has and this run has not; None without a baseline.
        command: What ran.
        stage: What it calls a gate.
        rules: The whole catalogue, by the name of their gate.
    """

    findings: tuple[Finding, ...]
    gates: tuple[GateResult, ...]
    linted: int
    files: Mapping[str, LintFile]
    absent: tuple[Known, ...] | None = None
    command: str = "lint"
    stage: str = "gate"
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=lambda: all_rules())

    @property
    def open(self) -> list[Finding]:
        """Findings that count: nobody accepted them, and no baseline has them."""
        return [finding for finding in self.findings if finding.open]

    @property
    def counts(self) -> Mapping[Severity, int]:
        """Open findings by severity."""
        found = Counter(finding.severity for finding in self.open)
        return {severity: found[severity] for severity in SEVERITIES}


@cache
def all_gates() -> Mapping[str, Gate]:
    """Gates by name, in order: the modules of `tracepact.lint.gates`."""
    found = {}
    for module in pkgutil.iter_modules(gate_modules.__path__):
        if not module.name.startswith("_"):
            name = f"{gate_modules.__name__}.{module.name}"
            found[module.name] = importlib.import_module(name).GATE
    return dict(sorted(found.items(), key=lambda item: item[1].order))


def all_rules() -> Mapping[str, tuple[Rule, ...]]:
    """Rules by the name of their gate, in order; the last are those about suppressions."""
    rules = {name: gate.rules for name, gate in all_gates().items()}
    return rules | {_SUPPRESSIONS: (STALE,)}


def lint(
    paths: Iterable[Path],
    settings: Settings | None = None,
    *,
    bindings: Bindings | None = None,
    sources: tuple[Path, ...] = (),
    evidence: Iterable[Result] = (),
    min_level: str = "",
    only: Set[Path] | None = None,
    today: date | None = None,
    baseline: Sequence[Known] | None = None,
    track: Callable[[Sequence[LintFile]], Iterable[LintFile]] = iter,
) -> Report:
    """Hold contract files against the rules.

    Args:
        paths: Files and folders.
        settings: Which rules; all of them by default.
        bindings: For reverse coverage and scores.
        sources: Folders or files with functions and tests.
        evidence: What is known to have run; see `tracepact.evidence`.
        min_level: Level that every kernel must reach.
        only: Resolved paths; other files are known, but not looked at.
        today: For suppressions that end.
        baseline: Findings that do not count again.
        track: Passes the files on, and may say how far they are.

    Raises:
        ConfigError: A path does not exist, or a selection matches no rule.

    About 5 ms a file that is in the cache and has findings, less than 1 ms without.
    """
    settings = settings or Settings()
    ids = {name: [rule.id for rule in rules] for name, rules in all_rules().items()}
    wanted = chosen(settings, ids)
    files = open_paths(paths)
    linted = [file for file in files if only is None or file.path.resolve() in only]
    project = Project(
        files=files,
        bindings=bindings,
        sources=sources,
        functions=cache(lambda: public_functions(sources)),
        cited=cache(
            lambda: read_sources(
                sources,
                [one.contract for one in linted if one.contract is not None],
                bindings or Bindings(path=None),
            )
        ),
        ran=gather(evidence),
        min_level=min_level,
        min_score=settings.min_score,
        min_coverage_percent=settings.min_coverage_percent,
    )
    skipped = {name: _why_skipped(name, project, wanted) for name in all_gates()}
    every = frozenset(rule for rules in ids.values() for rule in rules)
    found: list[Finding] = []
    for file in track(linted):
        of_file, ran = _lint_file(file, project, skipped)
        judged = ran & wanted | wanted & {STALE.id}
        kept = [one for one in of_file if one.rule.id in wanted]
        found += apply(file, kept, judged, every, today or date.today())
    for name, gate in all_gates().items():
        if not skipped[name] and linted:
            found += (one for one in gate.check_project(project) if one.rule.id in wanted)
    found.sort(key=lambda one: (*_place(one), one.rule.id, one.message))
    gone = None
    if baseline is not None:
        found = marked(found, baseline)
        names = {relative(file.start.file) for file in linted}
        judged = {rule for name, rules in ids.items() if not skipped.get(name) for rule in rules}
        gone = absent(baseline, found, names, judged & wanted)
    results = tuple(_result(name, skipped[name], found) for name in all_gates())
    return Report(tuple(found), results, len(linted), {f.start.file: f for f in files}, gone)


def _lint_file(
    file: LintFile, project: Project, skipped: Mapping[str, str]
) -> tuple[list[Finding], set[str]]:
    """Findings of all gates that look at a file, and the ids of the rules that did."""
    found: list[Finding] = []
    ran: set[str] = set()
    for name, gate in all_gates().items():
        # The first gate always looks: the others count on what it lets through.
        if name == _FIRST or not skipped[name]:
            found += _findings(gate, file, project)
            ran.update(rule.id for rule in gate.rules)
        if name == _FIRST and any(one.severity == "error" for one in found):
            break
    return found, ran


def _findings(gate: Gate, file: LintFile, project: Project) -> Iterator[Finding]:
    yield from gate.check_file(file, project)
    if file.contract is not None:
        yield from gate.check(file, file.contract, project)


def _why_skipped(name: str, project: Project, wanted: Set[str]) -> str:
    gate = all_gates()[name]
    if not any(rule.id in wanted for rule in gate.rules):
        return "not selected"
    return gate.skipped(project)


def _result(name: str, skipped: str, found: Iterable[Finding]) -> GateResult:
    gate = all_gates()[name]
    if skipped:
        return GateResult(name, gate.order, "skipped", skipped)
    errors = (one for one in found if one.severity == "error" and one.open)
    failed = any(one.rule in gate.rules for one in errors)
    return GateResult(name, gate.order, "failed" if failed else "passed")


def _place(finding: Finding) -> tuple[str, int, int]:
    location = finding.location
    return location.file, location.line, location.column or 0
