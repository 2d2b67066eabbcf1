"""All checks over a project, as a report that every format of lint can show."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tracepact.comply import checks as check_modules
from tracepact.comply.check import Check, Verdict
from tracepact.comply.project import Project
from tracepact.comply.settings import Settings
from tracepact.contracts.files import read_bytes
from tracepact.contracts.problem_log import ProblemLog
from tracepact.errors import ConfigError
from tracepact.lint.rule import Finding
from tracepact.lint.run import GateResult, Report
from tracepact.lint.settings import Settings as Selection
from tracepact.lint.settings import chosen
from tracepact.lint.source import LintFile


@cache
def all_checks() -> Mapping[str, Check]:
    """Checks by id, in order: the modules of `tracepact.comply.checks`."""
    names = sorted(module.name for module in pkgutil.iter_modules(check_modules.__path__))
    found = (importlib.import_module(f"{check_modules.__name__}.{name}").CHECK for name in names)
    return {check.rule.id: check for check in found}


def comply(
    folder: Path, settings: Settings | None = None, *, evidence: Path | None = None
) -> Report:
    """Hold a code base against the checks. It is read; nothing of it is imported or run.

    Args:
        folder: Where its pyproject.toml is.
        settings: Which checks and thresholds; all of them and the defaults if None.
        evidence: What ran; by default what the project says, else `.tracepact/evidence.json`.

    Raises:
        ConfigError: The folder does not exist, or a setting or the evidence file is wrong.
    """
    settings = settings or Settings()
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; name the one that has the pyproject.toml")
    ids = {check.rule.name: [id_] for id_, check in all_checks().items()}
    wanted = chosen(Selection(select=settings.select, ignore=settings.ignore), ids)
    project = Project(folder, settings, evidence)
    verdicts = {
        id_: check.run(project) if id_ in wanted else Verdict("not selected", is_skipped=True)
        for id_, check in all_checks().items()
    }
    findings = [one for verdict in verdicts.values() for one in verdict.findings]
    return Report(
        tuple(findings),
        tuple(_result(all_checks()[id_], verdict) for id_, verdict in verdicts.items()),
        len(project.files),
        _files(project, findings),
        command="comply",
        stage="check",
        rules={check.rule.name: (check.rule,) for check in all_checks().values()},
    )


def _result(check: Check, verdict: Verdict) -> GateResult:
    order = int(check.rule.id.removeprefix("CB-"))
    return GateResult(check.rule.name, order, verdict.status, verdict.summary)


def _files(project: Project, findings: list[Finding]) -> dict[str, LintFile]:
    """Files by the name that findings have for them."""
    found = {file.start.file: file for file in project.files}
    for finding in findings:
        name = finding.location.file
        if name not in found:
            found[name] = LintFile(Path(name), read_bytes(Path(name), ProblemLog(name)))
    return found
