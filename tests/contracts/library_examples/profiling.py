"""roofline-model-v1, kernel-launch-budget-v1, gpu-decode-profiling-v1, inference-pipeline-v1."""

from __future__ import annotations

import numpy as np
from library_examples.case import Case, planted, rng, whole

_A, _B, _C, _D = whole(4)


def _roofline_cases() -> list[Case]:
    stem = "roofline-model-v1"
    # SmolLM2-135M in float32 on 12 GB/s and 60 GFLOP/s: 22 tokens a second, memory-bound.
    size = {"total_params": 134_515_008, "bits_per_weight": 32, "model_bytes": 538_060_032}
    bandwidth = {
        "bandwidth_gbps": 12.0,
        "model_bytes": 538_060_032,
        "bw_ceiling": 12e9 / 538_060_032,
    }
    compute = {"gflops": 60.0, "ops_per_token": 269_030_016, "compute_ceiling": 60e9 / 269_030_016}
    ceilings = {"bw_ceiling": 22.3, "compute_ceiling": 223.0}
    # A down projection 1536 to 576 in float32: 3.5 MB in 295 µs.
    brick = {
        "bytes_moved": 3_547_392, "flops": 1_769_472, "bandwidth_gbps": 12.0, "gflops": 60.0,
        "efficiency": 0.9, "launch_overhead_us": 0.6, "launches": 1, "cold_start_us": 9.0,
        "budget_us": 3_547_392 / 12e3 / 0.9 + 0.6 + 9.0,
    }  # fmt: skip
    small = {
        "bytes_moved": _A * 1e3, "flops": _B * 1e3, "bandwidth_gbps": _C, "gflops": _D,
        "efficiency": 0.5, "launch_overhead_us": _A, "launches": _B, "cold_start_us": 0.0,
        "budget_us": 2 * np.where(_A * _D > _B * _C, _A / _C, _B / _D) + _A * _B,
    }  # fmt: skip
    return [
        Case(
            stem,
            "model_bytes",
            size,
            {
                "total_params > 0": {"total_params": 0},
                "bits_per_weight in (0, 64]": {"bits_per_weight": 0},
                "Bytes hold the bits of all weights": {"model_bytes": 134_515_008 * 32},
            },
            {"total_params": _A, "bits_per_weight": 8 * _B, "model_bytes": _A * _B},
        ),
        Case(
            stem,
            "bandwidth_ceiling",
            bandwidth,
            {
                "bandwidth_gbps > 0": {"bandwidth_gbps": 0.0},
                "model_bytes > 0": {"model_bytes": 0},
                "Traffic at the ceiling equals the bandwidth": {
                    "bw_ceiling": 12 * 2**30 / 538_060_032
                },
            },
            {"bandwidth_gbps": _A * _B, "model_bytes": _B * 1e9, "bw_ceiling": _A},
        ),
        Case(
            stem,
            "compute_ceiling",
            compute,
            {
                "gflops > 0": {"gflops": -1.0},
                "ops_per_token > 0": {"ops_per_token": 0},
                "Work at the ceiling equals the peak": {"compute_ceiling": 60 / 269_030_016},
            },
            {"gflops": _A * _B, "ops_per_token": _B * 1e9, "compute_ceiling": _A},
        ),
        Case(
            stem,
            "operations",
            {"total_params": 134_515_008, "ops_per_token": 269_030_016},
            {
                "total_params >= 1": {"total_params": 0},
                "Every weight is multiplied and added once": {"ops_per_token": 134_515_008},
            },
            {"total_params": _A, "ops_per_token": _A + _A},
        ),
        Case(
            stem,
            "throughput_bound",
            ceilings | {"throughput": 22.3},
            {
                "bw_ceiling > 0 and compute_ceiling > 0": {"compute_ceiling": 0.0},
                "Throughput is below both ceilings": {"throughput": 89.2},
            },
            {"bw_ceiling": _A, "compute_ceiling": _B, "throughput": np.where(_A < _B, _A, _B)},
        ),
        Case(
            stem,
            "bottleneck",
            ceilings | {"memory_bound": True},
            {
                "bw_ceiling > 0": {"bw_ceiling": 0.0},
                "compute_ceiling > 0": {"compute_ceiling": -1.0},
                "Memory-bound iff bandwidth is the lower ceiling": {"memory_bound": False},
            },
            {"bw_ceiling": _A, "compute_ceiling": _B, "memory_bound": np.minimum(_A, _B - 1) == _A},
        ),
        Case(
            stem,
            "brick_budget",
            brick,
            {
                "efficiency in (0, 1]": {"efficiency": 90.0},
                "bandwidth_gbps > 0 and gflops > 0": {"gflops": 0.0},
                "Budget never asks for more than the hardware gives": {
                    "budget_us": 3_547_392 / 12e3 * 0.9 + 0.6
                },
                "Budget covers the launches": {"launch_overhead_us": 600.0},
            },
            small,
        ),
        Case(
            stem,
            "token_budget",
            {"throughput": 22.3, "us_per_token": 1e6 / 22.3},
            {
                "throughput > 0": {"throughput": 0.0},
                "Latency times throughput is one second": {"us_per_token": 1e3 / 22.3},
            },
            {"throughput": 2.0**_A, "us_per_token": 1e6 / 2.0**_A},
        ),
    ]


def _launch_cases() -> list[Case]:
    stem = "kernel-launch-budget-v1"
    layer = {
        "norm_launches": 2, "projection_launches": 7, "attention_launches": 7,
        "activation_launches": 1, "residual_launches": 2, "launches_per_layer": 19,
    }  # fmt: skip
    token = {"layers": 30, "launches_per_layer": 19, "head_launches": 4, "launches_per_token": 574}
    overhead = {
        "launches_per_token": 574, "launch_overhead_us": 0.6, "overhead_us": 344.4,
        "us_per_token": 45_000, "launch_share": 0.1,
    }  # fmt: skip
    return [
        Case(
            stem,
            "launches_per_layer",
            layer,
            {
                "norm_launches >= 1 and projection_launches >= 1": {"norm_launches": 0},
                "Launches of a layer add up": {"launches_per_layer": 21},
            },
            {
                "norm_launches": _A,
                "projection_launches": _B,
                "attention_launches": _C,
                "activation_launches": _D,
                "residual_launches": _A,
                "launches_per_layer": 2 * _A + _B + _C + _D,
            },  # fmt: skip
        ),
        Case(
            stem,
            "launches_per_token",
            token,
            {
                "layers >= 1": {"layers": 0},
                "Launches of a token add up": {"launches_per_token": 575},
            },
            {
                "layers": _A,
                "launches_per_layer": _B,
                "head_launches": _C,
                "launches_per_token": _A * _B + _C,
            },  # fmt: skip
        ),
        Case(
            stem,
            "launch_overhead",
            overhead,
            {
                "launch_share in (0, 1]": {"launch_share": 10},
                "launch_overhead_us >= 0": {"launch_overhead_us": -0.1},
                "Launches take at most their share": {"us_per_token": 1_500},
            },
            {
                "launches_per_token": _A,
                "launch_overhead_us": _B,
                "overhead_us": _A * _B,
                "us_per_token": 4 * _A * _B,
                "launch_share": 0.25,
            },  # fmt: skip
        ),
        Case(
            stem,
            "fusion",
            {"fused_launches": 13, "unfused_launches": 19},
            {
                "fused_launches >= 1": {"fused_launches": 0},
                "Fusion does not add launches": {"fused_launches": 22},
            },
            {"fused_launches": _A, "unfused_launches": _A + _B - 1},
        ),
    ]


def _decode_cases() -> list[Case]:
    stem = "gpu-decode-profiling-v1"
    cache = {"used": 500, "capacity": 8_192, "nonfinite": 0, "guard_writes": 0}
    times = {"lm_head_us": 9_400.0, "gate_us": 290.0, "rms_norm_us": 12.0, "gate_bytes": 3.5e6}
    return [
        Case(
            stem,
            "kv_cache_utilization",
            cache,
            {
                "capacity >= 1": {"capacity": 0},
                "Cache is not overfull": {"used": 8_193},
                "Nothing is written past the capacity": {"guard_writes": 192},
                "Cached keys and values are finite": {"nonfinite": 1},
            },
            {"used": _A - 1, "capacity": _A + _B, "nonfinite": 0, "guard_writes": 0},
        ),
        Case(
            stem,
            "brick_within_budget",
            {"median_us": 310.0, "budget_us": 329.1},
            {
                "budget_us > 0": {"budget_us": 0.0},
                "Brick keeps its budget": {"median_us": 3_100.0},
            },
            {"median_us": _A, "budget_us": _A * (1 + _B) / 2},
        ),
        Case(
            stem,
            "wall_coverage",
            {"coverage": 0.97},
            {"Bricks fit into wall time": {"coverage": 1.8}},
            {"coverage": _A / (_A + _B - 1)},
        ),
        Case(
            stem,
            "profiling_valid",
            {"coverage": 0.97, "decoded_tokens": 64},
            {
                "decoded_tokens >= 1": {"decoded_tokens": 0},
                "Profile covers the time spent": {"coverage": 0.42},
            },
            {"coverage": 0.85 + 0.03 * _A, "decoded_tokens": _B},
        ),
        Case(
            stem,
            "report_denominator",
            {"lm_head_count": 64, "decoded_tokens": 64},
            {
                "decoded_tokens >= 1": {"decoded_tokens": 0},
                "Output head runs once a decoded token": {"lm_head_count": 64 + 12},
            },
            {"lm_head_count": _A, "decoded_tokens": _A},
        ),
        Case(
            stem,
            "per_token_cost",
            {"brick_total_us": 47_000.0, "lm_head_count": 64, "us_per_token": 47_000 / 64},
            {
                "lm_head_count >= 1": {"lm_head_count": 0},
                "Cost a token divides by decoded tokens": {"us_per_token": 47_000 / 64 / 61},
            },
            {"brick_total_us": _A * _B, "lm_head_count": _B, "us_per_token": _A},
        ),
        Case(
            stem,
            "norm_count",
            {"layers": 30, "forward_passes": 64, "rms_norm_count": 61 * 64},
            {
                "layers >= 1 and forward_passes >= 1": {"forward_passes": 0},
                "Two norms a layer and a final one": {"rms_norm_count": 60 * 64},
            },
            {
                "layers": _A,
                "forward_passes": _B,
                "rms_norm_count": [sum([1, *[2] * a]) * b for a, b in zip(_A, _B, strict=True)],
            },
        ),
        Case(
            stem,
            "brick_ordering",
            times,
            {
                "gate_bytes >= 2e6": {"gate_bytes": 131_072},
                # Launch times of a device that was not waited for.
                "Output head takes longer than a gate projection": {"lm_head_us": 5.1},
                "Gate projection takes longer than a norm": {"gate_us": 5.1},
            },
            {"lm_head_us": _A + _B + _C, "gate_us": _A + _B, "rms_norm_us": _A, "gate_bytes": 2e6},
        ),
        Case(
            stem,
            "report_completeness",
            {"listed_bricks": 15, "bricks_run": 15},
            {
                "bricks_run >= 1": {"bricks_run": 0},
                "Report lists every brick that ran": {"listed_bricks": 11},
            },
            {"listed_bricks": _A, "bricks_run": _A},
        ),
    ]


def _pipeline_cases() -> list[Case]:
    stem = "inference-pipeline-v1"
    tokens = rng().integers(0, 49_152, 64)
    limits = {"prompt_tokens": 40, "generated": 64, "max_tokens": 64, "context_length": 8_192}
    return [
        Case(
            stem,
            "prefill",
            {"prompt_tokens": 40, "position": 40, "cached_positions": 40},
            {
                "prompt_tokens >= 1": {"prompt_tokens": 0},
                "Prompt advances the position by its length": {"position": 41},
                "Cache holds the whole prompt": {"cached_positions": 32},
            },
            {"prompt_tokens": _A, "position": _A, "cached_positions": _A},
        ),
        Case(
            stem,
            "decode_step",
            {"position": 41, "old(position)": 40},
            {
                "position >= 1": {"position": 0},
                "A step advances by one position": {"position": 42},
            },
            {"position": _A + 1, "old(position)": _A},
        ),
        Case(
            stem,
            "limits",
            limits,
            {
                "prompt_tokens <= context_length": {"prompt_tokens": 9_000},
                "max_tokens >= 0": {"max_tokens": -1},
                "Generation ends at its limit": {"generated": 65},
                "Text fits into the context": {"context_length": 100},
            },
            {
                "prompt_tokens": _A,
                "generated": _B,
                "max_tokens": _B + _C - 1,
                "context_length": _A + _B + _D - 1,
            },
        ),
        Case(
            stem,
            "repeatability",
            {"ret": tokens, "repeat": tokens.copy()},
            {
                "len(ret) == len(repeat)": {"repeat": tokens[:63]},
                "Same seed, same tokens": {"repeat": planted(tokens, 50, 7)},
            },
            {"ret": _A, "repeat": _A},
        ),
        Case(
            stem,
            "throughput",
            {"generated": 64, "elapsed_s": 2.9, "tokens_per_s": 64 / 2.9},
            {
                "elapsed_s > 0": {"elapsed_s": 0.0},
                "Rate times time is the number of tokens": {"tokens_per_s": 104 / 2.9},
            },
            {"generated": _A * _B, "elapsed_s": _B, "tokens_per_s": _A},
        ),
    ]


CASES = [*_roofline_cases(), *_launch_cases(), *_decode_cases(), *_pipeline_cases()]
