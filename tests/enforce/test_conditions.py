"""`requires` and `ensures`: the same violations, without a contract file."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

import tracepact as tp
from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError, ContractViolation
from tracepact.exporters import MemoryExporter
from tracepact.predicate import PredicateError
from tracepact.tracing import ContractTracingLayer, Mode, Policy, TimeBudget
from tracepact.types import SourceLocation


class Found:
    """A layer without contracts, and what it found."""

    def __init__(self, mode: Mode = Mode.LOG) -> None:
        self.memory = MemoryExporter()
        policy = Policy(mode=mode, keep_first=99)
        self.layer = ContractTracingLayer(ContractRegistry(), [self.memory], policy)

    @property
    def texts(self) -> list[str]:
        return [f"{v.kind} {v.verdict}: {v.expression}" for v in self.memory.violations]


@pytest.fixture
def found() -> Found:
    return Found()


def here() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_predicates_are_checked_before_and_behind_the_call(found: Found) -> None:
    @tp.requires("x > 0", "scale != 7", layer=found.layer)
    @tp.ensures("ret >= x", layer=found.layer)
    def kernel(x: int, scale: int = 1) -> int:
        return x * scale

    assert (kernel(1), kernel(2, scale=3), kernel(x=1)) == (1, 6, 1)
    assert (found.texts, found.layer.checks) == ([], 9)
    kernel(-1, 7)
    assert found.texts == [
        "precondition failed: x > 0",
        "precondition failed: scale != 7",
        "postcondition failed: ret >= x",
    ]


def test_parameter_called_ret_is_itself_before_the_call_and_the_result_behind_it(
    found: Found,
) -> None:
    @tp.requires("ret > 0", lambda ret: ret > 0, layer=found.layer)
    @tp.ensures("ret < 0", layer=found.layer)
    def negative(ret: int | None = None) -> int:
        return -(ret or 1)

    assert (negative(1), found.texts) == (-1, [])
    negative(-1)
    assert found.texts == [
        "precondition failed: ret > 0",
        "precondition failed: ret > 0",
        "postcondition failed: ret < 0",
    ]


def test_violation_says_module_function_condition_and_place(found: Found) -> None:
    line = here() + 1
    decorator = tp.requires("x > 0", layer=found.layer)

    @decorator
    def kernel(x: int) -> int:
        return x

    kernel(-1)
    (violation,) = found.memory.violations
    assert violation.contract == __name__
    assert violation.equation.endswith("<locals>.kernel")
    assert violation.obligation == violation.expression == "x > 0"
    assert violation.source == SourceLocation(__file__, line)
    assert violation.location.file == __file__
    assert violation.measured["x"] == -1
    assert "contract precondition violated" in violation.message


def test_lambdas_take_fields_by_name_and_any_value(found: Found) -> None:
    @tp.requires(lambda words, limit: len(words) <= limit, layer=found.layer)
    @tp.ensures(lambda ret, words: ret.startswith(words[0]), layer=found.layer)
    def joined(words: list[str], limit: int = 2) -> str:
        return " ".join(words)

    joined(["a", "b"])
    assert (found.texts, found.layer.checks) == ([], 2)
    joined(["a", "b", "c"])
    (violation,) = found.memory.violations
    assert violation.expression == "len(words) <= limit"
    assert violation.explanation == (
        "words = ['a', 'b', 'c'], limit = 2: len(words) <= limit is false"
    )
    assert violation.measured == {"limit": 2}
    assert "Infinity" not in str(violation.to_dict())


def test_error_in_a_lambda_is_a_verdict_and_never_reaches_the_caller(found: Found) -> None:
    class Rude:
        def __bool__(self) -> bool:
            raise KeyError("no truth")

    @tp.requires(lambda x: x.missing > 0, lambda x: Rude(), "x > 0", layer=found.layer)
    @tp.ensures(lambda ret: ret / 0 > 1, layer=found.layer)
    def kernel(x: int) -> int:
        return x

    assert kernel(1) == 1
    assert found.texts == [
        "precondition error: x.missing > 0",
        "precondition error: Rude()",
        "postcondition error: ret / 0 > 1",
    ]
    assert found.memory.violations[2].explanation == "ZeroDivisionError: division by zero"
    assert (found.layer.violations, found.layer.checks, dict(found.layer.faults)) == (0, 1, {})


def test_interruption_inside_of_a_condition_is_none_of_our_business(found: Found) -> None:
    asked = []

    def interrupted(x: int) -> bool:
        asked.append(x)
        raise KeyboardInterrupt

    wrapped = tp.requires(interrupted, layer=found.layer)(lambda x: x)
    with pytest.raises(KeyboardInterrupt):
        wrapped(1)
    wrapped = tp.ensures(interrupted, layer=found.layer)(lambda x: x)
    with pytest.raises(KeyboardInterrupt):
        wrapped(2)
    assert (found.texts, asked) == ([], [1, 2])


def test_condition_may_look_at_many_parameters_in_any_order(found: Found) -> None:
    @tp.ensures(lambda ret, d, b, a: [a, b, d] == ret, layer=found.layer)
    def kernel(a: int, b: int = 2, *rest: int, d: int = 4) -> list[int]:
        return [a, b, 4]

    kernel(1)
    kernel(1, 5, 6, 7)
    kernel(b=3, a=2)
    assert found.texts == []
    kernel(1, d=5)
    assert found.memory.violations[0].measured == {"a": 1, "b": 2, "d": 5}


def test_sampler_that_counts_costs_is_told_of_functions(found: Found) -> None:
    class Counting(TimeBudget):
        spent = 0

        def spend(self, duration_ns: int) -> None:
            self.spent += 1

    sampler = Counting(1.0)
    layer = ContractTracingLayer(ContractRegistry(), [], Policy(sampler=sampler))
    tp.requires(lambda x: x > 0, layer=layer)(lambda x: x)(1)
    assert (sampler.spent, layer.checks) == (1, 1)


def test_value_that_cannot_be_shown_is_no_fault(found: Found) -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError

    @tp.requires(lambda x: not x, layer=found.layer)
    def kernel(x: Any) -> None: ...

    kernel(Shy())
    assert "Shy" in found.memory.violations[0].explanation
    assert not found.layer.faults


def test_predicates_and_lambdas_stand_side_by_side(found: Found) -> None:
    @tp.requires(lambda x: len(x) > 2, "all(x > 1)", layer=found.layer)
    @tp.ensures(lambda ret, x: ret is not x, "all(isfinite(ret))", layer=found.layer)
    def kernel(x: Any) -> Any:
        return x

    kernel(np.array([1.0, np.nan]))
    # Predicates come first.
    assert found.texts == [
        "precondition failed: all(x > 1)",
        "precondition failed: len(x) > 2",
        "postcondition failed: all(isfinite(ret))",
        "postcondition failed: ret is not x",
    ]
    assert found.memory.violations[2].index == (1,)


def test_defaults_of_a_lambda_are_its_own(found: Found) -> None:
    @tp.requires(*(lambda x, at=at: x[at] > 0 for at in range(2)), layer=found.layer)
    def kernel(x: list[int], at: int = 5) -> None: ...

    kernel([1, 1])
    assert found.texts == []
    kernel([1, 0])
    assert found.texts == ["precondition failed: x[at] > 0"]


def test_any_function_can_be_a_condition(found: Found) -> None:
    def is_sorted(x: list[int]) -> bool:
        return x == sorted(x)

    @tp.requires(is_sorted, layer=found.layer)
    def kernel(x: list[int]) -> None: ...

    kernel([2, 1])
    assert found.texts[0].endswith("is_sorted(x)")


def test_old_values_and_tolerances_serve(found: Found) -> None:
    @tp.ensures("abs(sum(x) - sum(old(x))) <= tol", tol=1e-6, layer=found.layer)
    def shuffle(x: Any, by: float) -> None:
        x += by

    shuffle(np.ones(3), 0.0)
    assert found.texts == []
    shuffle(np.ones(3), 0.1)
    assert len(found.texts) == 1


def test_raise_stops_the_call(found: Found) -> None:
    raising = Found(Mode.RAISE)
    ran = []

    @tp.requires(lambda x: x > 0, layer=raising.layer)
    def kernel(x: int) -> None:
        ran.append(x)

    kernel(1)
    with pytest.raises(ContractViolation, match="precondition violated"):
        kernel(-1)
    assert ran == [1]


def test_methods_coroutines_and_generators(found: Found) -> None:
    class Model:
        limit = 3

        @tp.requires(lambda self, x: x < self.limit, layer=found.layer)
        def own(self, x: int) -> int:
            return x

        @tp.ensures("ret < 3", layer=found.layer)
        @classmethod
        def of_class(cls, x: int) -> int:
            return x

        @tp.ensures("ret < 3", layer=found.layer)
        async def later(self, x: int) -> int:
            return x

        @tp.requires("x < 3", layer=found.layer)
        @tp.ensures("ret < 3", layer=found.layer, items=True)
        def items(self, x: int) -> Generator[int, None, None]:
            yield x

    model = Model()
    model.own(3)
    Model.of_class(3)
    asyncio.run(model.later(3))
    list(model.items(3))
    assert [v.equation.rpartition(".")[2] for v in found.memory.violations] == [
        "own", "of_class", "later", "items", "items",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="pass items=True"):
        tp.ensures("ret < 3")(Model.items)


def test_function_keeps_its_looks(found: Found) -> None:
    def kernel(x: int, *, y: int = 1) -> int:
        """Documentation."""
        return x

    wrapped = tp.requires(lambda x: x > 0, layer=found.layer)(kernel)
    assert inspect.signature(wrapped) == inspect.signature(kernel)
    assert (wrapped.__doc__, wrapped.__wrapped__) == ("Documentation.", kernel)  # type: ignore[attr-defined]
    assert not hasattr(wrapped, "__tracepact__")


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("x >", "test_conditions.py:[0-9]+: "),
        ("abs(x) <= tol", "uses tol; pass tol="),
        (
            "lenght > 0",
            r"no parameter of .*kernel\(x, length\); did you mean 'length'",
        ),
        ("ret > 0", "looks at 'ret'"),
        (lambda lenght: True, "did you mean 'length'"),
        (lambda *, x: True, r"because of 'x'; name the fields"),
        (lambda *x: True, r"because of '\*x'; name the fields"),
        (7, "7 is no condition"),
    ],
)
def test_mistakes_are_refused_with_what_to_do(stated: Any, message: str) -> None:
    def kernel(x: int, length: int) -> None: ...

    with pytest.raises(ConfigError, match=message):
        tp.requires(stated)(kernel)


def test_mistakes_in_predicates_are_shown_before_the_function_is_there() -> None:
    with pytest.raises(PredicateError):
        tp.requires("x > > 0")
    with pytest.raises(ConfigError, match=r"@ensures\(\) states nothing"):
        tp.ensures()

    async def later(x: int) -> bool:
        return True

    with pytest.raises(ConfigError, match="returns no truth value"):
        tp.requires(later)
    with pytest.raises(ConfigError, match="cannot be a condition"):
        tp.requires(type)
