"""Every exception that is raised on purpose: its bases, and that process pools can carry it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from tracepact import errors
from tracepact.errors import ConfigError, ContractViolation, MissingExtraError, TracepactError
from tracepact.types import SourceLocation
from tracepact.violation import CallSite, Violation


def violation() -> Violation:
    return Violation(
        contract="softmax-kernel-v1",
        equation="softmax",
        obligation="Output sums to 1",
        expression="abs(row_sums(ret) - 1) <= tol",
        measured={"row_sums(ret)[2]": 0.93},
        kind="postcondition",
        verdict="failed",
        index=(2,),
        location=CallSite("app.py", 7),
        source=SourceLocation("softmax-kernel-v1.yaml", 14, 9),
        layer=3,
        brick="AttentionSoftmax",
        trace="MLT-02",
        step=5,
        time_unix_ns=1,
        explanation="row_sums(ret)[2] = 0.93",
    )


def test_every_exception_is_a_tracepact_error() -> None:
    own = [v for v in vars(errors).values() if getattr(v, "__module__", "") == errors.__name__]
    assert len(own) >= 5
    assert all(issubclass(value, TracepactError) for value in own)


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (ConfigError("no"), ValueError),
        (MissingExtraError("reading GGUF", "engine"), ConfigError),
        (ContractViolation(violation()), AssertionError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_builtin_base_fits_the_mistake(error: Exception, base: type) -> None:
    assert isinstance(error, base)


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("no"),
        errors.ModelFileError("truncated"),
        MissingExtraError("reading GGUF", "engine"),
        ContractViolation(violation()),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("clone", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_error_survives_copying_and_pickling(error: TracepactError, clone: Any) -> None:
    twin = clone(error)
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_missing_extra_names_the_command_that_installs_it() -> None:
    assert str(MissingExtraError("reading GGUF", "engine")) == (
        "reading GGUF needs an optional library; install it with: pip install 'tracepact[engine]'"
    )


def test_contract_violation_carries_the_facts() -> None:
    error = ContractViolation(violation())
    assert error.violation == violation()
    assert str(error) == violation().message
