"""CB-1204: contracts are held against the code where it is built."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tracepact.comply.check import Check, Verdict, count, judged, skipped
from tracepact.comply.project import Project
from tracepact.contracts.files import display_name, read_bytes
from tracepact.contracts.problem_log import ProblemLog
from tracepact.lint.rule import Finding, Rule

RULE = Rule(
    id="CB-1204",
    severity="error",
    name="build-without-contracts",
    what="There are contracts with preconditions, but neither the build nor CI looks at them: no "
    "build hook of tracepact, no `tracepact bind --verify` or `--static`, and fewer than ten "
    "interface tests that passed.",
    why="A binding that breaks is noticed only where somebody happens to run a check.",
    bad='[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"',
    good='[build-system]\nrequires = ["hatchling", "tracepact"]\n'
    'build-backend = "hatchling.build"\n\n[tool.hatch.build.hooks.tracepact]',
    language="toml",
)

_PIPELINES: Final = (
    ".github/workflows/*.yml",
    ".github/workflows/*.yaml",
    ".gitlab-ci.yml",
    ".pre-commit-config.yaml",
    "azure-pipelines.yml",
    "Jenkinsfile",
    "Makefile",
    "justfile",
    "noxfile.py",
    "tox.ini",
    ".ci/*",
)
_COMMAND: Final = re.compile(
    # On one line, not in a comment or a label, not printed, and with a result that counts.
    r"^(?!\s*//)(?:(?!#|\becho\b|\bname:).)*\btracepact[ \t]+bind\b[^#\n|]*--(?:verify|static)\b"
    r"(?![^\n]*\|\|)",
    re.MULTILINE,
)


def _run(project: Project) -> Verdict:
    with_conditions = [
        contract
        for contract in project.used
        if any(equation.preconditions for equation in contract.equations.values())
    ]
    if not with_conditions:
        return skipped("no contract that is used has preconditions")
    where = build_hook(project.folder)
    passed = interface_tests(project)
    said = where or "no build hook"
    summary = f"{said}, {count(passed, 'interface test')} passed"
    enough = bool(where) or passed >= project.threshold("min-interfaces")
    return judged(summary, () if enough else _findings(project, len(with_conditions), passed))


def build_hook(folder: Path) -> str:
    """What holds bindings against the code when a project is built; "" if nothing does."""
    try:
        text = (folder / "pyproject.toml").read_text("utf-8")
        found: dict[str, Any] = tomllib.loads(text)
    except (OSError, ValueError):
        found = {}
    system, tool = _table(found, "build-system"), _table(found, "tool")
    backend, requires = str(system.get("build-backend", "")), system.get("requires", [])
    required = isinstance(requires, list) and any(
        re.match(r"tracepact(?![\w.-]*\w)", str(one).strip(), re.IGNORECASE) for one in requires
    )
    # tracepact's own build takes the hook from its sources.
    required = required or _table(found, "project").get("name") == "tracepact"
    if required and backend.startswith("setuptools") and "tracepact" in tool:
        return "hook for setuptools"
    hooks = _table(_table(_table(tool, "hatch"), "build"), "hooks")
    if required and backend.startswith("hatchling") and "tracepact" in hooks:
        return "hook for hatchling"
    for pattern in _PIPELINES:
        for path in sorted(folder.glob(pattern)):
            data = read_bytes(path, ProblemLog(display_name(path))) or b""
            if _COMMAND.search(data.decode("utf-8", "replace")):
                return f"`tracepact bind` in {path.relative_to(folder).as_posix()}"
    return ""


def interface_tests(project: Project) -> int:
    """Functions whose interface test passed."""
    passed = (each for each in project.results if each.kind == "interface")
    return len({each.function for each in passed if each.outcome == "passed"})


def _findings(project: Project, contracts: int, passed: int) -> Iterator[Finding]:
    least = project.threshold("min-interfaces")
    have = "has preconditions" if contracts == 1 else "have preconditions"
    message = f"{count(contracts, 'contract')} {have}, and the build looks at none"
    hint = f"add the build hook, run `tracepact bind --static` in CI, or {least:g} interface tests"
    yield RULE.at(project.place, f"{message} ({passed} interface tests passed)", hint)


def _table(found: dict[str, Any], name: str) -> dict[str, Any]:
    table = found.get(name, {})
    return table if isinstance(table, dict) else {}


CHECK = Check(
    rule=RULE,
    title="the build looks at contracts",
    fails="neither a build hook, nor `tracepact bind --verify` or `--static` in CI, nor "
    "`min-interfaces` tests that passed",
    warns="",
    skips="no contract that is used has preconditions",
    run=_run,
)
