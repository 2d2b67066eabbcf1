"""Both cores measure alike: one suite for the Python core and every way the native core can run."""

from __future__ import annotations

import array
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.core import dispatch, python
from tracepact.core.stats import Stat, TensorStats
from tracepact.types import Array

_native = pytest.importorskip("tracepact.core._native")

EVERYTHING = Stat.FULL | Stat.ARGS
FLOATS = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16]
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
DTYPES = [np.dtype(name) for name in [*FLOATS, *INTEGERS, bool]]
SUMMED_NARROW = {"float32", "float16", "bfloat16", "int8", "int16", "uint8", "uint16", "bool"}
LENGTHS = [0, 1, 2, 3, 7, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 255, 257, 576, 1000]
LONG = [4095, 4096, 4097, 16383, 16384, 16385, 20011]
SPECIAL = [math.nan, -math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e-45, 6e-8, 65504.0]

CORES = ["python", *(f"{isa}/{threads}" for isa in _native.isas() for threads in (1, 2))]
every_core = pytest.mark.parametrize("core", CORES)


@contextmanager
def running(core: str) -> Iterator[Callable[..., TensorStats]]:
    """The `measure` of a core, forced onto an instruction set and a number of threads."""
    if core == "python":
        yield python.measure
        return
    before = _native.isa()
    isa, threads = core.split("/")
    _native.set_isa(isa)
    _native.set_threads(int(threads), 0)
    try:
        yield dispatch.measure
    finally:
        _native.set_isa(before)
        _native.set_threads(0)


VIEWS: list[Callable[[Array], Array]] = [
    lambda x: x,
    lambda x: x.T,
    lambda x: x[..., ::-1],
    lambda x: x[..., ::2],
    lambda x: x[::-3],
    lambda x: x[..., 1:-1],
    lambda x: x[1:, ...],
    lambda x: np.broadcast_to(x, (3, *x.shape)),
    lambda x: np.broadcast_to(x[..., :1], x.shape),
    lambda x: np.swapaxes(x, 0, -1)[..., ::-1],
    lambda x: misaligned(x),
]


def misaligned(x: Array) -> Array:
    """The same elements one byte off where they should be."""
    room = np.zeros(x.nbytes + 1, np.uint8)
    view = room[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


@st.composite
def tensors(draw: st.DrawFn) -> Array:
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(
        st.one_of(
            st.tuples(st.sampled_from([*LENGTHS, *LONG])),
            st.tuples(st.integers(0, 40), st.sampled_from(LENGTHS[:16])),
            st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 130)),
            st.lists(st.integers(1, 4), min_size=4, max_size=7).map(tuple),
        )
    )
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([1.0, 100.0, 1e-30, 1e30, 1e-200, 1e200]))
    offset = draw(st.sampled_from([0.0, 0.0, 1e6, -3.0]))
    with np.errstate(all="ignore"):
        if dtype.kind == "f" or dtype.name == "bfloat16":
            values = random.standard_normal(shape) * scale + offset
            for special in draw(st.lists(st.sampled_from(SPECIAL), max_size=3)):
                values[random.random(shape) < draw(st.sampled_from([0.001, 0.1, 1.0]))] = special
            result = values.astype(dtype)
        elif dtype.kind == "b":
            result = random.random(shape) < 0.5
        else:
            bits = random.integers(0, 256, (*shape, dtype.itemsize), np.uint8)
            result = bits.view(dtype)[..., 0] if 0 not in shape else np.zeros(shape, dtype)
    return draw(st.sampled_from(VIEWS))(result)


def assert_describes(stats: TensorStats, x: Array, wanted: Stat) -> None:
    """Compare with NumPy and exact sums."""
    wide = np.asarray(x, np.float64).ravel()
    finite = wide[np.isfinite(wide)]
    assert stats.measured == wanted | Stat.COUNTS
    assert stats.count == wide.size
    assert stats.nan_count == np.isnan(wide).sum()
    assert stats.posinf_count == (wide == math.inf).sum()
    assert stats.neginf_count == (wide == -math.inf).sum()
    if Stat.ARGS in wanted and wide.size:
        assert (stats.argmin, stats.argmax) == (wide.argmin(), wide.argmax())
    if not finite.size:
        return
    if Stat.RANGE in wanted:
        assert (stats.min, stats.max) == (finite.min(), finite.max())
    largest = float(np.abs(finite).max())
    exponent = math.frexp(largest)[1]
    scaled = [math.ldexp(value, -exponent) for value in finite]
    magnitude = math.fsum(map(abs, scaled))
    if Stat.SUM in wanted:
        narrow = 5e-7 if x.dtype.name in SUMMED_NARROW else 1e-13
        assert_close(stats.sum, math.fsum(scaled), exponent, narrow * magnitude)
    if Stat.MOMENTS in wanted:
        mean = math.fsum(scaled) / len(scaled)
        m2 = math.fsum((value - mean) ** 2 for value in scaled)
        norm = math.sqrt(math.fsum(value * value for value in scaled))
        assert_close(stats.mean, mean, exponent, 1e-13 * magnitude / len(scaled))
        assert_close(stats.m2, m2, 2 * exponent, 1e-9 * m2 + 1e-28 * len(scaled))
        assert_close(stats.l2, norm, exponent, 1e-13 * norm)


def assert_close(actual: float, expected: float, exponent: int, tolerance: float) -> None:
    """Whether a figure is `expected` · 2**exponent, if that is a number."""
    with np.errstate(all="ignore"):
        target, slack = np.ldexp(expected, exponent), np.ldexp(tolerance, exponent)
    assert actual == target or abs(actual - target) <= slack + 1e-320, (actual, target, slack)


@every_core
@given(x=tensors(), wanted=st.integers(0, 31).map(Stat))
def test_statistics_are_those_of_numpy(core: str, x: Array, wanted: Stat) -> None:
    with running(core) as measure:
        assert_describes(measure(x, wanted), x, wanted)


@every_core
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_length_around_a_block_is_measured(core: str, dtype: np.dtype[Any]) -> None:
    random = np.random.default_rng(0)
    values = (random.random(20_100) * 200 - (0 if dtype.kind == "u" else 100)).astype(dtype)
    with running(core) as measure:
        for n in [*range(70), *LENGTHS, *LONG]:
            x = misaligned(values[:n]) if n % 2 else values[3 : 3 + n]
            assert_describes(measure(x, EVERYTHING), x, EVERYTHING)


@every_core
@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: np.dtype(dtype).name)
def test_extremes_are_right_whatever_the_signs(core: str, dtype: Any) -> None:
    """All of one sign, zeros of either, and a sign that comes late."""
    with running(core) as measure:
        for n in (2, 15, 17, 128, 300, 5000):
            above = np.linspace(0.5, 2, n).astype(dtype)
            late = above.copy()
            late[-1] = -0.25
            zeros = np.where(np.arange(n) % 2, 0.0, -0.0).astype(dtype)
            for x in (above, -above, late, -late, zeros, above[::-1], -above[::-1]):
                assert_describes(measure(x, EVERYTHING), x, EVERYTHING)


@every_core
@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("special", SPECIAL[:4])
def test_one_special_value_is_found_wherever_it_is(core: str, dtype: Any, special: float) -> None:
    with running(core) as measure:
        for n in (1, 17, 40, 131, 700):
            for place in {*range(min(n, 40)), n // 2, n - 2, n - 1} & {*range(n)}:
                x = np.linspace(-1, 1, n).astype(dtype)
                x[place] = special
                for wanted in (Stat.COUNTS, Stat.RANGE, Stat.ARGS, EVERYTHING):
                    assert_describes(measure(x, wanted), x, wanted)


@every_core
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_deviation_survives_a_large_mean(core: str, dtype: Any) -> None:
    random = np.random.default_rng(1)
    x = (1e6 + random.uniform(-1, 1, 100_003)).astype(dtype)
    exact = x.astype(np.longdouble)
    m2 = float(((exact - exact.mean()) ** 2).sum())
    with running(core) as measure:
        assert measure(x).m2 == pytest.approx(m2, rel=1e-9)


@every_core
@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: np.dtype(dtype).name)
def test_the_largest_finite_elements_are_not_taken_for_infinities(core: str, dtype: Any) -> None:
    largest = float(ml_dtypes.finfo(dtype).max)
    x = np.full(1000, largest, dtype)
    with running(core) as measure:
        stats = measure(x, EVERYTHING)
        assert stats.finite_count == 1000
        assert (stats.min, stats.max, stats.mean) == pytest.approx((largest,) * 3, rel=1e-14)
        assert measure(x, Stat.COUNTS).finite_count == 1000
        assert (stats.m2, stats.argmin, stats.argmax) == (0, 0, 0)


@every_core
@pytest.mark.parametrize(
    "x",
    [
        np.float64(2.5),
        7,
        True,
        -1.25,
        math.nan,
        -math.inf,
        [1.0, 2.0, math.inf],
        np.array(3, np.int16),
        np.zeros((3, 0, 2), np.float32),
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.ma.masked_array([1.0, 2.0], mask=[True, False]),
        np.arange(4, dtype=ml_dtypes.float8_e4m3fn),
        np.arange(4, dtype=np.longdouble),
        np.arange(2.0**9).reshape((2,) * 9)[..., ::-1],
        array.array("h", [3, -4, 5]),
        array.array("d", [3.0, math.nan]),
        memoryview(np.arange(12.0).reshape(3, 4)[::-1, ::2]),
        memoryview(b"abc"),
        bytearray(b"abc"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_whatever_holds_numbers_is_measured(core: str, x: Any) -> None:
    with running(core) as measure:
        stats = measure(x, EVERYTHING)
    assert_describes(stats, np.asarray(x), EVERYTHING)


@every_core
def test_readonly_arrays_are_measured(core: str) -> None:
    x = np.arange(10.0)
    x.flags.writeable = False
    with running(core) as measure:
        assert_describes(measure(x), x, Stat.FULL)


@every_core
@pytest.mark.parametrize(
    "x", ["text", b"abc", np.array(["a"]), np.zeros(2, complex), np.zeros(2, "M8[s]"),
          np.datetime64(3, "s"), np.zeros(2, [("a", "f4")]), array.array("u", "ab")],
    ids=lambda x: type(x).__name__,
)  # fmt: skip
def test_what_is_not_numbers_is_refused(core: str, x: Any) -> None:
    with running(core) as measure, pytest.raises((TypeError, ValueError)):
        measure(x)


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match="'avx9' is not an instruction set of this machine"):
        _native.set_isa("avx9")
    with pytest.raises(ValueError, match="3 threads; 0, 1 or 2 are possible"):
        _native.set_threads(3)


class _Named:
    """A dtype or layout of torch: known by its name only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"torch.{self.name}"


class _Device:
    type = "cpu"


TORCH_DTYPES = {dtype.name: _Named(dtype.name) for dtype in DTYPES}
STRIDED, SPARSE = _Named("strided"), _Named("sparse_coo")


class Tensor:
    """What the native core asks of `torch.Tensor`."""

    layout, device, negative = STRIDED, _Device(), False

    def __init__(self, values: Array) -> None:
        self._values = values
        self.dtype = TORCH_DTYPES[values.dtype.name]
        self.shape = values.shape

    def stride(self) -> tuple[int, ...]:
        return tuple(step // self._values.itemsize for step in self._values.strides)

    def data_ptr(self) -> int:
        return self._values.__array_interface__["data"][0]

    def is_conj(self) -> bool:
        return False

    def is_neg(self) -> bool:
        return self.negative


Tensor.__module__ = "torch"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_cpu_tensors_of_torch_are_measured_in_place(dtype: np.dtype[Any]) -> None:
    x = np.arange(35).reshape(5, 7).astype(dtype).T[::2]
    figures = _native.measure(Tensor(x), EVERYTHING.value)
    assert figures == _native.measure(x, EVERYTHING.value)
    assert figures[0] == x.size


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("layout", SPARSE),
        ("device", type("Device", (), {"type": "cuda"})()),
        ("negative", True),
        ("dtype", _Named("quint8")),
        ("shape", (1,) * 9),
        ("shape", "text"),
        ("data_ptr", lambda: 1 / 0),
    ],
)
def test_tensors_that_are_elsewhere_or_otherwise_are_left_to_python(
    attribute: str, value: object
) -> None:
    tensor = Tensor(np.zeros(3))
    setattr(tensor, attribute, value)
    assert _native.measure(tensor, EVERYTHING.value) is None


def test_subclasses_and_namesakes_of_tensors_are_left_to_python() -> None:
    class Wrapped(Tensor):
        pass

    stranger = type("Tensor", (Tensor,), {"__module__": "elsewhere"})
    for kind in (Wrapped, stranger):
        assert _native.measure(kind(np.zeros(3)), EVERYTHING.value) is None
