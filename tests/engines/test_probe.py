"""Claims about the probe that is off."""

from __future__ import annotations

import numpy as np

from tracepact.engines.probe import PROBE_OFF, NullProbe, Probe
from tracepact.engines.reference.kv_cache import KvCache
from tracepact.types import Array, BrickId


def double(*, x: Array) -> Array:
    return 2 * x


def test_null_probe_runs_the_kernel_and_returns_its_result() -> None:
    assert PROBE_OFF.run(BrickId.RmsNorm, 0, double, x=np.array([1.0])).tolist() == [2.0]


def test_null_probe_accepts_every_call_of_a_forward_pass() -> None:
    probe: Probe = NullProbe()
    probe.begin_forward(0, 1)
    probe.residual(0, "input", np.zeros((1, 4)))
    probe.kv_cache(KvCache(layers=1, capacity=1, kv_heads=1, head_dim=1))
    probe.end_forward()


def test_fields_named_like_the_parameters_of_run_reach_the_kernel() -> None:
    def kernel(*, layer: int, brick: int) -> Array:
        return np.array([layer, brick])

    assert PROBE_OFF.run("Custom", None, kernel, layer=3, brick=4).tolist() == [3, 4]
