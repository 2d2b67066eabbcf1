"""What a run of pytest found, kept for those who judge contracts by it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tracepact.bindings import load_bindings
from tracepact.contracts import Contract
from tracepact.errors import ConfigError
from tracepact.evidence import Outcome, Result, evidence_file, write_evidence
from tracepact.score import Citation, citations
from tracepact.testing.settings import Settings

RECORD: Final = "tracepact"
"""Name of the property of a report that says what was tested."""


class Recorder:
    """Outcomes of every test of a run, and at its end the evidence file.

    Attributes:
        outcomes: By node id; `skipped` where the test did not run to its end.
        facts: What contract tests say about themselves, by node id.
    """

    def __init__(self, config: pytest.Config, files: Iterable[Path]) -> None:
        self.config = config
        self.files = tuple(files)
        self.outcomes: dict[str, Outcome] = {}
        self.facts: dict[str, Mapping[str, Any]] = {}
        self.summary = ""

    @staticmethod
    def of(config: pytest.Config) -> Recorder:
        """That of a run."""
        return config.stash[RECORDER]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst phase of a test."""
        if report.failed:
            self.outcomes[report.nodeid] = "failed"
        elif report.skipped or hasattr(report, "wasxfail"):
            self.outcomes.setdefault(report.nodeid, "skipped")
        elif report.when == "call":
            self.outcomes.setdefault(report.nodeid, "passed")
        for name, facts in report.user_properties:
            if name == RECORD:
                self.facts[report.nodeid] = facts  # type: ignore[assignment]  # ours

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write what was found; a worker leaves that to its controller."""
        if hasattr(self.config, "workerinput") or self.config.option.collectonly:
            return
        results = list(self._results())
        name = self.config.getoption("tracepact_evidence") or self.config.getini(
            "tracepact_evidence"
        )
        if not results:
            return
        root = self.config.rootpath
        path = root / name if name else evidence_file(root)
        try:
            write_evidence(path, self.config.rootpath, results)
            self.summary = f"wrote {os.path.relpath(path)}"
        except (ConfigError, OSError) as error:
            self.summary = f"no evidence written: {error}"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the evidence is."""
        if self.summary:
            terminalreporter.write_line(f"tracepact: {self.summary}")

    def _results(self) -> Iterator[Result]:
        for test, facts in self.facts.items():
            yield Result(test=test, outcome=self.outcomes[test], **facts)
        by_file = {name: file for file in self.files for name in _contracts_of(file)}
        seen: set[str] = set()
        for stem, file in by_file.items():
            contract = Settings.of(self.config).registry(stem).contracts.get(stem)
            if contract is not None:
                yield from self._cited(contract, file, seen)

    def _cited(self, contract: Contract, binding: Path, seen: set[str]) -> Iterator[Result]:
        texts = [test.test for test in contract.falsification_tests]
        for text in [*texts, *(harness.harness for harness in contract.harnesses)]:
            for test in cited(text, self.outcomes):
                if test not in seen:
                    seen.add(test)
                    yield Result(
                        test=test,
                        kind="test",
                        outcome=self.outcomes[test],
                        files=(test.partition("::")[0],),
                    )
        about = {o.property: o for o in contract.obligations}
        for each in contract.falsification_tests:
            found = cited(each.test, self.outcomes)
            if found:
                obligation = about.get(each.rule)
                equations = () if obligation is None else obligation.applies_to
                where = [relative(binding, self.config), contract.stem, *equations[:1], each.id]
                yield Result(
                    test="::".join(where),
                    kind="falsification",
                    outcome=_together([self.outcomes[test] for test in found]),
                    contract=contract.stem,
                    equation=equations[0] if len(equations) == 1 else "",
                    obligation=each.id,
                    detail=", ".join(found[:3]) + (" …" if len(found) > 3 else ""),
                    files=(
                        relative(contract.path, self.config),
                        *dict.fromkeys(test.partition("::")[0] for test in found),
                    ),
                )


RECORDER: Final = pytest.StashKey[Recorder]()


def cited(text: str, tests: Iterable[str]) -> list[str]:
    """Node ids of the tests that a contract names: each case where it names no single one."""
    wanted = citations(text)
    return [test for test in tests if any(_is(test, citation) for citation in wanted)]


def _is(test: str, citation: Citation) -> bool:
    base, bracket, variant = test.partition("[")
    file, *names = base.split("::")
    qualname = ".".join(names)
    is_file = not citation.file or f"/{file}".endswith(f"/{citation.file}")
    is_name = qualname == citation.qualname or (
        not citation.file and qualname.endswith(f".{citation.qualname}")
    )
    return is_file and is_name and citation.variant in ("", bracket + variant)


def _together(outcomes: Iterable[Outcome]) -> Outcome:
    found = set(outcomes)
    return next(one for one in ("failed", "skipped", "passed") if one in found)


def _contracts_of(file: Path) -> list[str]:
    return list(dict.fromkeys(entry.contract for entry in load_bindings(file).entries))


def relative(path: str | os.PathLike[str], config: pytest.Config) -> str:
    """A file as evidence calls it: from the project's folder, with `/`."""
    return Path(os.path.relpath(path, config.rootpath)).as_posix()
