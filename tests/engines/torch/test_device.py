"""Claims about models on an accelerator, whose tensors are measured there and read a pass later.

No accelerator is needed: a model on the CPU is looked at in the same way, by operations of PyTorch
and by the Triton kernel under its interpreter.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracepact as tp
from tracepact.core import Stat, measure
from tracepact.errors import ContractViolation
from tracepact.model import ModelTracer
from tracepact.violation import Violation

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")
pytest.importorskip("transformers", reason="needs tracepact[torch]")
sys.path.insert(0, str(Path(__file__).parent))

import families  # noqa: E402

from tracepact.engines.torch import device_statistics  # noqa: E402
from tracepact.engines.torch.device_statistics import PIECE, DeviceStatistics  # noqa: E402
from tracepact.engines.torch.watch import TorchWatch  # noqa: E402

CPU = torch.device("cpu")


def kernels() -> list[Any]:
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"  # read when Triton is first imported
    skipped = pytest.mark.skip(reason="runs in a process of its own, under the interpreter")
    return [
        pytest.param("operations"),
        pytest.param("triton", marks=() if interpreted else skipped),
    ]


@pytest.fixture(params=kernels(), scope="module")
def kernel(request: pytest.FixtureRequest) -> Any:
    """None for operations of PyTorch, or the kernel as Triton's interpreter runs it."""
    if request.param == "operations":
        return None
    return import_module("tracepact.engines.torch.triton_statistics").measure_pieces


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
def test_all_of_this_holds_of_the_triton_kernel_under_its_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [*command, "-k", "triton and not all_of_this"],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def statistics_of(kernel: Any, *values: Any) -> list[Any]:
    statistics = DeviceStatistics(CPU, kernel)
    for index, value in enumerate(values):
        statistics.add(index, value)
    ended = statistics.end_pass()
    ended.wait()
    found = ended.statistics()
    assert [tag for tag, _ in found] == list(range(len(values)))
    return [stats for _, stats in found]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(), (1,), (7, 5), (3, 1024), (2, 1025), (1, PIECE + 3)])
def test_figures_are_those_of_measure(kernel: Any, dtype: str, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(2)
    value = torch.randn(shape, generator=generator).to(getattr(torch, dtype))
    assert_same(statistics_of(kernel, value)[0], measure(value, Stat.FULL))


@settings(max_examples=30)
@given(
    numbers=st.lists(
        st.floats(width=32) | st.sampled_from([math.nan, math.inf, -math.inf, 3e38, -0.0]),
        max_size=40,
    )
)
def test_strange_numbers_are_counted_and_left_out(kernel: Any, numbers: list[float]) -> None:
    value = torch.tensor(numbers, dtype=torch.float32)
    assert_same(statistics_of(kernel, value)[0], measure(value, Stat.FULL))


def assert_same(found: Any, expected: Any) -> None:
    counts = ("count", "nan_count", "posinf_count", "neginf_count")
    assert [getattr(found, n) for n in counts] == [getattr(expected, n) for n in counts]
    for name in ("min", "max"):
        assert getattr(found, name) == pytest.approx(
            getattr(expected, name), rel=1e-15, nan_ok=True
        )
    scale = max(expected.l2, 1e-300)
    assert found.sum == pytest.approx(
        expected.sum, abs=1e-12 * scale * math.sqrt(expected.count + 1)
    )
    assert found.l2 == pytest.approx(expected.l2, rel=1e-12)


def test_tensors_of_several_types_and_strides_keep_their_tags(kernel: Any) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    values = (whole.T, whole[:, ::2].to(torch.float16), whole.double()[1:], whole[0, :0])
    for found, value in zip(statistics_of(kernel, *values), values, strict=True):
        assert_same(found, measure(value, Stat.FULL))


def test_tensors_are_let_go_once_they_are_many(
    kernel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_statistics, "_KEPT", 1000)
    values = [torch.full((40,), float(i)) for i in range(30)]
    found = statistics_of(kernel, *values)
    assert [stats.max for stats in found] == [float(i) for i in range(30)]


class Watched:
    """A model on the CPU, looked at as one on an accelerator is."""

    def __init__(self, family: str, kernel: Any, mode: str = "log") -> None:
        self.model = families.build(family)
        self.memory = tp.exporters.MemoryExporter()
        registry = tp.ContractRegistry.builtin()
        self.layer = tp.ContractTracingLayer(registry, [self.memory], tp.Policy(mode=mode))
        self.tracer = ModelTracer(self.layer)
        statistics = DeviceStatistics(CPU, kernel)
        self.watch = TorchWatch(self.model, self.tracer, deferred=statistics)

    def __enter__(self) -> Watched:
        self.watch.install()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            if kind is None:
                self.watch.finish()
        finally:
            self.watch.remove()

    @property
    def violations(self) -> list[Violation]:
        return list(self.memory.violations)


def generate(model: Any, steps: int) -> Any:
    ids = torch.randint(3, families.VOCABULARY, (2, 6), generator=torch.Generator().manual_seed(1))
    return model.generate(ids, max_new_tokens=steps, min_new_tokens=steps, do_sample=False)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "mixtral"])
def test_healthy_model_raises_no_alarm_and_writes_the_same(kernel: Any, family: str) -> None:
    expected = generate(families.build(family), 12)
    with Watched(family, kernel) as watched:
        found = generate(watched.model, 12)
    assert torch.equal(found, expected)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    rows = {row.trace: row for row in watched.tracer.summary.rows()}
    assert all(rows[trace].records for trace in ("MLT-01", "MLT-02", "MLT-03", "MLT-05"))
    assert rows["MLT-03"].checks == 2 * 12, "of both sequences"


def test_figures_are_those_of_a_model_that_is_looked_at_at_once(kernel: Any) -> None:
    at_once = families.build("llama")
    layer = tp.ContractTracingLayer(tp.ContractRegistry.builtin(), [])
    with tp.trace(at_once, layer=layer) as tracer:
        generate(at_once, 5)
    with Watched("llama", kernel) as watched:
        generate(watched.model, 5)
    expected = [(each.layer, each.point) for each in tracer.last.activations]
    found = [(each.layer, each.point) for each in watched.tracer.last.activations]
    assert found == expected
    for now, then in zip(watched.tracer.last.activations, tracer.last.activations, strict=True):
        assert now.stats.l2 == pytest.approx(then.stats.l2, rel=1e-6)
    assert watched.tracer.last.position == tracer.last.position


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_fault_is_named_with_the_pass_that_it_comes_from(kernel: Any, value: float) -> None:
    with Watched("llama", kernel) as watched:
        passes = 0

        def plant(module: Any, arguments: Any, output: Any) -> None:
            nonlocal passes
            passes += 1
            if passes == 4:
                output[0, 0, 3] = value

        watched.model.model.layers[1].post_attention_layernorm.register_forward_hook(
            plant, prepend=True
        )
        generate(watched.model, 8)
    root = watched.violations[0]
    assert (root.layer, root.brick, root.role) == (1, "RmsNorm", "root")
    assert root.step == 6 + 2, "the prompt's six positions, then the third token"


def test_cache_that_holds_nan_is_found(kernel: Any) -> None:
    with Watched("llama", kernel) as watched:
        watched.model.model.layers[2].self_attn.v_proj.register_forward_hook(
            lambda module, arguments, output: output.fill_(math.nan), prepend=True
        )
        generate(watched.model, 6)
    assert any(v.trace == "MLT-05" and v.layer == 2 for v in watched.violations)


def test_policy_raise_stops_one_pass_later(kernel: Any) -> None:
    watched = Watched("llama", kernel, mode="raise")
    watched.model.model.layers[1].input_layernorm.register_forward_hook(
        lambda module, arguments, output: output.fill_(math.nan), prepend=True
    )
    ids = torch.tensor([[5, 6, 7]])
    watched.watch.install()
    try:
        with torch.no_grad():
            watched.model(ids)
            with pytest.raises(ContractViolation, match="layer 1"):
                watched.model(ids)
    finally:
        watched.watch.remove()


def test_request_is_that_of_the_pass_and_not_of_the_moment(kernel: Any) -> None:
    with Watched("llama", kernel) as watched:
        watched.model.model.layers[1].input_layernorm.register_forward_hook(
            lambda module, arguments, output: output.fill_(math.nan), prepend=True
        )
        with tp.request("first"):
            generate(watched.model, 1)
        with tp.request("second"):
            generate(watched.model, 1)
    assert {violation.request for violation in watched.violations} <= {"first", "second"}
    assert watched.violations[0].request == "first"
