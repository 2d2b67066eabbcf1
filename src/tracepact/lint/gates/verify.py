"""Gate 4: the tests that a contract cites exist in the sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from tracepact.contracts import Contract
from tracepact.contracts.problem_log import quoted
from tracepact.lint.gates._base import Gate, Project
from tracepact.lint.rule import Finding, Rule
from tracepact.lint.source import LintFile

MISSING_TEST = Rule(
    id="PV-VER-001",
    severity="error",
    name="missing-test",
    what="`test` of a falsification test, or `harness`, cites `file.py::test_name` or a "
    "`test_…`/`prop_…` that the sources do not define. A name with `gpu` or `cuda` is a warning: "
    "its test may live elsewhere. Prose is left alone, and so are the ids of parameters.",
    why="The claim looks tested and is not.",
    bad="- {id: F-1, prediction: P, test: test_that_was_renamed}",
    good="- {id: F-1, prediction: P, test: 'tests/test_softmax.py::test_rows_sum_to_1'}",
)

_NODE: Final = re.compile(r"([\w./-]+\.(?:py|rs))::((?:\w+::)*\w+)")
_NAME: Final = re.compile(r"(?<![\w.:/])(?:\w+::)*((?:test|prop)_\w+)")


def _cited(text: str) -> Iterator[tuple[str, str]]:
    """File ("" for any) and name of every test that a text cites."""
    rest = text
    for match in _NODE.finditer(text):
        yield match[1], match[2].rpartition("::")[2]
        rest = rest.replace(match[0], " ")
    for match in _NAME.finditer(rest):
        yield "", match[1]


def _check(file: LintFile, contract: Contract, project: Project) -> Iterator[Finding]:
    cited = [(one.location, "test", one.test) for one in contract.falsification_tests]
    cited += [(one.location, "harness", one.harness) for one in contract.harnesses]
    for record, field, text in cited:
        for path, name in dict.fromkeys(_cited(text)):
            files = project.tests().get(name, set())
            wanted = PurePosixPath(path).parts
            if any(wanted == one.absolute().parts[-len(wanted) :] or not path for one in files):
                continue
            message = f"{quoted(name)} is not in the sources"
            if files:
                message = f"{quoted(name)} is not in {path}"
                hint = f"it is in {min(files).as_posix()}"
            else:
                hint = "write it, or cite the one that took its place"
            elsewhere = "gpu" in name.lower() or "cuda" in name.lower()
            yield MISSING_TEST.at(
                file.value(record, field),
                message,
                hint,
                contract=contract.stem,
                severity="warning" if elsewhere else None,
            )


def _skipped(project: Project) -> str:
    return "" if project.sources else "no --source"


GATE = Gate(
    order=4,
    summary="Every test that a contract cites exists in the sources (`--source`).",
    rules=(MISSING_TEST,),
    check=_check,
    skipped=_skipped,
)
