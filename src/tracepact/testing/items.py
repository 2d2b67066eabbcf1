"""What pytest collects of a binding file: one item an equation and obligation."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tracepact.bindings import Bindings, load_bindings
from tracepact.contracts import Contract, ContractRegistry
from tracepact.errors import ConfigError
from tracepact.testing.recorder import RECORD, Recorder, cited, relative
from tracepact.testing.settings import Settings
from tracepact.testing.subjects import Subject, subjects

if TYPE_CHECKING:
    from tracepact.bindings import Binding
    from tracepact.contracts.model import FalsificationTest, Harness, Obligation


class BindingFile(pytest.File):
    """A binding file; its contracts are its members."""

    def collect(self) -> Iterator[pytest.Collector]:
        """Contracts, in order of the file."""
        bindings = load_bindings(self.path)
        if bindings.problems:
            raise self.CollectError("\n".join(map(str, bindings.problems)))
        for stem in dict.fromkeys(entry.contract for entry in bindings.entries):
            yield ContractMember.from_parent(self, name=_safe(stem), bindings=bindings, stem=stem)


class ContractMember(pytest.Collector):
    """One contract of a binding file."""

    def __init__(self, *, bindings: Bindings, stem: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bindings = bindings
        self.stem = stem

    def collect(self) -> Iterator[pytest.Collector]:
        """Equations, in order of the contract; unknown ones too, whose interface test says so."""
        registry = Settings.of(self.config).registry(self.stem)
        about = [s for s in subjects(self.bindings, registry) if s.contract.stem == self.stem]
        entries = [entry for entry in self.bindings.entries if entry.contract == self.stem]
        names = [entry.equation for entry in entries] + [s.equation.name for s in about]
        for name in dict.fromkeys(names):
            yield EquationMember.from_parent(
                self,
                name=_safe(name),
                registry=registry,
                bindings=self.bindings,
                entries=[entry for entry in entries if entry.equation == name],
                subjects=[s for s in about if s.equation.name == name],
            )


class EquationMember(pytest.Collector):
    """One equation of a contract."""

    def __init__(
        self,
        *,
        registry: ContractRegistry,
        bindings: Bindings,
        entries: list[Binding],
        subjects: list[Subject],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.registry = registry
        self.bindings = bindings
        self.entries = entries
        self.subjects = subjects

    def collect(self) -> Iterator[pytest.Item]:
        """Interface, falsification tests, properties, bounded harnesses."""
        for entry, label in zip(self.entries, _labels(self.entries), strict=True):
            yield InterfaceItem.from_parent(self, name=f"interface[{label}]", entry=entry)
        labels = _labels([subject.binding for subject in self.subjects])
        for subject, label in zip(self.subjects, labels, strict=True):
            for obligation in subject.obligations:
                yield PropertyItem.from_parent(
                    self,
                    name=f"{_safe(obligation.property)}[{label}]",
                    subject=subject,
                    obligation=obligation,
                )
            if self.config.getoption("tracepact_bounded"):
                for harness in subject.harnesses:
                    yield BoundedItem.from_parent(
                        self, name=f"{_safe(harness.id)}[{label}]", subject=subject, harness=harness
                    )
        for test in self.subjects[0].tests if self.subjects else ():
            yield FalsificationItem.from_parent(
                self, name=_safe(test.id), subject=self.subjects[0], test=test
            )


class ContractItem(pytest.Item):
    """What all items share: what they say about themselves."""

    def record(self, binding: Binding, contract: Contract | None, **facts: object) -> None:
        """Keep for the evidence file: what is tested, with the files that it rests on."""
        module = sys.modules.get(binding.module_path)
        files = [self.path, contract and contract.path, getattr(module, "__file__", None)]
        known = [relative(file, self.config) for file in files if file]
        self.user_properties.append(
            (RECORD, {"contract": binding.contract, "files": tuple(known), **facts})
        )

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """What is wrong; a traceback only for faults of the tests themselves."""
        if isinstance(excinfo.value, ToldError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the item is from; pytest prints it."""
        return self.path, None, self.nodeid.partition("::")[2].replace("::", " ")


class ToldError(AssertionError):
    """A finding whose message says everything."""


class InterfaceItem(ContractItem):
    """A function is what its binding says."""

    parent: EquationMember

    def __init__(self, *, entry: Binding, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entry = entry

    def runtest(self) -> None:
        """Import it and compare."""
        from tracepact.enforce.verify import verify_binding  # noqa: PLC0415 - heavy

        entry, registry = self.entry, self.parent.registry
        try:
            if entry.status not in ("implemented", "partial"):
                raise ConfigError(f"{entry.location}: the binding says {entry.status}")
            problems = verify_binding(entry, self.parent.bindings, registry)
            detail = "\n".join(map(str, problems))
        except ConfigError as error:
            problems, detail = None, str(error)
        self.record(
            entry,
            registry.contracts.get(entry.contract),
            kind="interface",
            equation=entry.equation,
            function=entry.qualname,
            detail=detail,
        )
        if problems is None:
            pytest.skip(detail)
        if problems:
            raise ToldError(detail)


class PropertyItem(ContractItem):
    """An obligation, tried on generated inputs."""

    def __init__(self, *, subject: Subject, obligation: Obligation, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.subject = subject
        self.obligation = obligation
        self.claim: Any = None

    def runtest(self) -> None:
        """Make the claim, let Hypothesis try it."""
        from tracepact.testing.inputs import CannotTestError  # noqa: PLC0415 - heavy
        from tracepact.testing.make import make_claim  # noqa: PLC0415
        from tracepact.testing.run import run_claim  # noqa: PLC0415

        settings = Settings.of(self.config)
        detail, reason = "", None
        try:
            self.claim = make_claim(self.subject, self.obligation, settings.dtypes)
            detail = run_claim(self.claim, self.nodeid, settings.effort)
        except CannotTestError as error:
            detail = reason = str(error)
        finally:
            subject = self.subject
            self.record(
                subject.binding,
                subject.contract,
                kind="property",
                equation=subject.equation.name,
                obligation=self.obligation.property,
                function=subject.binding.qualname,
                detail=detail,
            )
        if reason is not None:
            pytest.skip(reason)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The refuted claim in words."""
        from tracepact.testing.claim import BrokenError  # noqa: PLC0415 - heavy
        from tracepact.testing.show import show_failure  # noqa: PLC0415

        if isinstance(excinfo.value, BrokenError):
            return show_failure(self.claim, excinfo.value)
        return super().repr_failure(excinfo, style)


class FalsificationItem(ContractItem):
    """A falsification test of a contract: the result of the test that it cites."""

    def __init__(self, *, subject: Subject, test: FalsificationTest, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.subject = subject
        self.test = test

    def runtest(self) -> None:
        """Look up what became of the cited test, which ran before."""
        text = self.test.test
        tests = cited(text, (item.nodeid for item in self.session.items))
        if not tests:
            what = f"it cites {text}, which was" if text else "it cites no test, so none was"
            pytest.skip(f"{what} not collected in this run")
        outcomes = Recorder.of(self.config).outcomes
        failed = [test for test in tests if outcomes.get(test) == "failed"]
        if failed:
            lines = [f"{self.test.id} cites a test that failed:", *failed]
            lines += [f"if it fails: {' '.join(self.test.if_fails.split())}"]
            raise ToldError("\n  ".join(lines))
        unknown = [test for test in tests if outcomes.get(test) != "passed"]
        if unknown:
            pytest.skip(f"{unknown[0]} was skipped, or runs in another process")


class BoundedItem(ContractItem):
    """A bounded harness of a contract, run on the function."""

    def __init__(self, *, subject: Subject, harness: Harness, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.subject = subject
        self.harness = harness

    def runtest(self) -> None:
        """Prove it, or show a call that refutes it; what is undecided is skipped."""
        from tracepact.enforce.verify import import_bound  # noqa: PLC0415 - heavy
        from tracepact.prove import run_harness  # noqa: PLC0415

        subject = self.subject
        try:
            function = import_bound(subject.binding, subject.bindings.target)
        except ConfigError as error:
            pytest.skip(str(error))
        proof = run_harness(
            subject.registry,
            subject.contract,
            self.harness,
            function=function,
            equation=subject.equation.name,
        )
        self.record(
            subject.binding,
            subject.contract,
            kind="bounded",
            equation=subject.equation.name,
            obligation=self.harness.obligation,
            function=subject.binding.qualname,
            detail=": ".join(each for each in (proof.method, proof.detail) if each),
        )
        if proof.outcome == "refuted":
            what = f"{subject.binding.qualname} refutes {self.harness.obligation!r}"
            where = f"{self.harness.id} at {self.harness.location}"
            raise ToldError(f"{what}\n{where}: {proof.detail}\n\n{proof.counterexample}")
        if proof.outcome != "proved":
            pytest.skip(f"not proved: {proof.detail}")


def _safe(name: str) -> str:
    """A name that can stand in a node id."""
    plain = "".join(each if each.isprintable() else " " for each in name)
    return " ".join(plain.replace("::", ":").split()) or "?"


def _labels(entries: Iterable[Binding]) -> list[str]:
    """`module:function`, with the whole path where that alone is not one function."""
    entries = list(entries)
    short = [f"{e.module_path.rpartition('.')[2]}:{e.function}" for e in entries]
    return [
        each if short.count(each) == 1 else entry.qualname
        for entry, each in zip(entries, short, strict=True)
    ]
