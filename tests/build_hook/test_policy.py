"""AllImplemented: what each status means for a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.bindings import STATUSES, Binding, Bindings, Status
from tracepact.build_hook.policy import all_implemented
from tracepact.contracts import Problem
from tracepact.types import SourceLocation

PLACE = SourceLocation("binding.yaml", 3, 5)


def bindings(*statuses: Status, problems: tuple[Problem, ...] = ()) -> Bindings:
    entries = (
        Binding(
            contract="demo-kernel-v1",
            equation="demo",
            module_path="demo.kernels",
            function="f",
            status=status,
            location=PLACE,
        )
        for status in statuses
    )
    return Bindings(path=Path("binding.yaml"), entries=tuple(entries), problems=problems)


@pytest.mark.parametrize("status", STATUSES)
def test_only_what_is_not_implemented_fails_and_only_what_is_implemented_is_silent(
    status: Status,
) -> None:
    verdict = all_implemented(bindings(status))
    assert bool(verdict.failures) == (status == "not_implemented")
    assert bool(verdict.warnings) == (status in ("pending", "partial"))


def test_text_says_what_where_and_what_next() -> None:
    assert all_implemented(bindings("not_implemented")).failures == (
        "binding.yaml:3:5: demo-kernel-v1.demo (demo.kernels:f) is not implemented; implement it, "
        "or set the status to `pending` while it is being written",
    )


def test_every_function_of_an_equation_counts() -> None:
    verdict = all_implemented(bindings("implemented", "not_implemented", "not_implemented"))
    assert len(verdict.failures) == 2


def test_problem_in_the_file_fails() -> None:
    problem = Problem(PLACE, "bindings[0]: no status", "add one")
    verdict = all_implemented(bindings("implemented", problems=(problem,)))
    assert verdict.failures == ("binding.yaml:3:5: bindings[0]: no status; add one",)


def test_no_file_fails_nothing() -> None:
    verdict = all_implemented(Bindings(path=None))
    assert verdict.failures == verdict.warnings == ()
