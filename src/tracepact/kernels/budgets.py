"""roofline-model-v1 and kernel-launch-budget-v1.

Numbers, or arrays of them, which broadcast. Source: Williams, Waterman & Patterson 2009,
Communications of the ACM 52(4).
"""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import wide
from tracepact.types import Array


@contract("roofline-model-v1", "model_bytes", bind={"model_bytes": "ret"})
def model_bytes(total_params: Array, bits_per_weight: Array) -> Array:
    """Bytes that are read for one token."""
    return wide(total_params) * bits_per_weight / 8


@contract("roofline-model-v1", "bandwidth_ceiling", bind={"bw_ceiling": "ret"})
def bandwidth_ceiling(bandwidth_gbps: Array, model_bytes: Array) -> Array:
    """Tokens a second that memory allows."""
    return wide(bandwidth_gbps) * 1e9 / model_bytes


@contract("roofline-model-v1", "compute_ceiling", bind={"compute_ceiling": "ret"})
def compute_ceiling(gflops: Array, ops_per_token: Array) -> Array:
    """Tokens a second that arithmetic allows."""
    return wide(gflops) * 1e9 / ops_per_token


@contract("roofline-model-v1", "operations", bind={"ops_per_token": "ret"})
def operations(total_params: Array) -> Array:
    """A product and a sum a weight."""
    return total_params + total_params


@contract("roofline-model-v1", "throughput_bound", bind={"throughput": "ret"})
def throughput_bound(bw_ceiling: Array, compute_ceiling: Array) -> Array:
    """The lower of both ceilings."""
    return np.where(bw_ceiling < compute_ceiling, bw_ceiling, compute_ceiling)


@contract("roofline-model-v1", "bottleneck", bind={"memory_bound": "ret"})
def is_memory_bound(bw_ceiling: Array, compute_ceiling: Array) -> Array:
    """Whether memory is the lower ceiling."""
    return np.subtract(bw_ceiling, compute_ceiling) < 0


@contract("roofline-model-v1", "brick_budget", bind={"budget_us": "ret"})
def brick_budget(
    bytes_moved: Array,
    flops: Array,
    bandwidth_gbps: Array,
    gflops: Array,
    efficiency: Array,
    launch_overhead_us: Array,
    launches: Array,
    cold_start_us: Array,
) -> Array:
    """Microseconds that a call may take: memory or arithmetic, and what each launch costs."""
    memory_us, compute_us = bytes_moved / (bandwidth_gbps * 1e3), flops / (gflops * 1e3)
    slower_us = np.maximum(memory_us, compute_us)
    ret: Array = slower_us / efficiency + launch_overhead_us * launches + cold_start_us
    return ret


@contract("roofline-model-v1", "token_budget", bind={"us_per_token": "ret"})
def token_budget(throughput: Array) -> Array:
    """Microseconds a token."""
    return 1e6 / wide(throughput)


@contract("kernel-launch-budget-v1", "launches_per_layer", bind={"launches_per_layer": "ret"})
def launches_per_layer(
    norm_launches: Array,
    projection_launches: Array,
    attention_launches: Array,
    activation_launches: Array,
    residual_launches: Array,
) -> Array:
    """Launches of a layer, of all kinds."""
    blocks = attention_launches + activation_launches
    ret: Array = norm_launches + projection_launches + blocks + residual_launches
    return ret


@contract("kernel-launch-budget-v1", "launches_per_token", bind={"launches_per_token": "ret"})
def launches_per_token(layers: Array, launches_per_layer: Array, head_launches: Array) -> Array:
    """Launches of all layers, and those outside of them."""
    ret: Array = head_launches + layers * launches_per_layer
    return ret


@contract("kernel-launch-budget-v1", "overhead", bind={"overhead_us": "ret"})
def overhead(launches_per_token: Array, launch_overhead_us: Array) -> Array:
    """Microseconds a token that launches take."""
    return launches_per_token * launch_overhead_us
