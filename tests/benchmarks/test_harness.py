"""The figures of the benchmarks mean what they say; read with a clock that tests move."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def harness() -> Any:
    return importlib.import_module("benchmarks.harness")


@pytest.fixture
def floor() -> Callable[[str], Any]:
    """Loads a C floor; skips where none can be compiled."""
    unavailable = importlib.import_module("benchmarks.harness").UnavailableError

    def load(name: str) -> Any:
        try:
            return importlib.import_module("benchmarks.floor").load(name)
        except unavailable as reason:
            pytest.skip(str(reason))

    return load


class FakeClock:
    """Each statement moves it; each reading takes 1 ns."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1
        return self.now


def test_time_is_that_of_one_run_of_the_statement(harness: Any) -> None:
    clock = FakeClock()
    statements = {
        name: harness.Statement(f"clock.now += {ns}", {"clock": clock})
        for name, ns in {"short": 50_000, "long": 150_000}.items()
    }
    samples = harness.interleaved(statements, sample_ms=1.0, seconds=0.01, clock=clock)
    assert samples["short"].median == pytest.approx(50_000, abs=1)
    assert samples["long"].ratio(samples["short"]).median == pytest.approx(3, abs=1e-3)
    assert samples["long"].over(samples["short"]).median == pytest.approx(100_000, abs=1)


def test_a_claim_holds_at_its_limit_and_not_beyond(harness: Any) -> None:
    assert harness.Claim("a", 150, 150).holds
    assert not harness.Claim("a", 151, 150).holds
    assert harness.Claim("a", 20, 20, at_least=True).holds
    assert not harness.Claim("a", 19, 20, at_least=True).holds
    assert not harness.Claim("a", math.nan, 20).holds


def test_what_is_not_installed_is_skipped_with_the_reason(
    harness: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = harness.available(
        {"here": lambda: 1, "absent": lambda: harness.optional("no_such_module", "no-such")}
    )
    assert found == {"here": 1}
    assert capsys.readouterr().out == "skipped absent: no-such is not installed\n"


def test_a_core_that_is_not_there_is_skipped(harness: Any) -> None:
    with pytest.raises(harness.UnavailableError, match="no such core"):
        harness.on_core("abacus", dict)()


@pytest.mark.parametrize("passes", [lambda v: True, lambda v: v > 0, lambda v: False])
def test_a_contestant_that_errs_is_refused(passes: Callable[[float], bool]) -> None:
    rivals = importlib.import_module("benchmarks.rivals")
    assert rivals.Contestant(None, lambda v: 0 <= v <= 1).agrees()
    assert not rivals.Contestant(None, passes).agrees()


def test_the_least_spans_and_checks_in_c_tell_good_from_bad(floor: Callable[[str], Any]) -> None:
    floor("span_floor")
    least = importlib.import_module("benchmarks.rivals").least()
    assert sum(contestant.passes is not None for contestant in least.values()) >= 6
    assert [name for name, contestant in least.items() if not contestant.agrees()] == []


@pytest.mark.parametrize("size", [0, 1, 127, 128, 4096, 4097, 10_001])
def test_the_sum_in_c_is_that_of_numpy(size: int, floor: Callable[[str], Any]) -> None:
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    expected = x.sum(dtype=np.float64)
    assert floor("sum_floor").sum_float32(x) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("size", [1, 128, 4099])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5, 1.5])
def test_the_pass_in_c_finds_one_bad_element(
    size: int, bad: float, floor: Callable[[str], Any]
) -> None:
    check = floor("sum_floor").check_float32
    x = np.full(size, 1 / size, np.float32)
    assert check(x)
    for index in {0, size // 2, size - 1}:
        broken = x.copy()
        broken[index] = bad
        assert not check(broken)


def test_every_benchmark_can_be_named() -> None:
    names = importlib.import_module("benchmarks.__main__").NAMES
    assert names == sorted(path.stem[6:] for path in ROOT.glob("benchmarks/bench_*.py"))
    for name in names:
        assert callable(importlib.import_module(f"benchmarks.bench_{name}").main)
