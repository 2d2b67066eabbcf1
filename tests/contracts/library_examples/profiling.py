"""roofline-model-v1, kernel-launch-budget-v1, gpu-decode-profiling-v1, inference-pipeline-v1."""

from __future__ import annotations

from library_examples.case import Case, Fields, planted, rng, whole

from tracepact.kernels import reference
from tracepact.kernels.budgets import launches_per_layer

_A, _B, _C, _D = whole(4)


def _computed(
    stem: str, equation: str, result: str, *names: str, bound: int = 5, **fixed: float
) -> list[Fields]:
    """Every combination of whole numbers for these names, with what the kernel makes of them."""
    kernel = reference(stem, equation)
    assert kernel is not None
    fields: Fields = dict(zip(names, whole(len(names), bound), strict=True)) | fixed
    return [fields | {result: kernel(**fields)}]


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
    ceiling_names = ("bw_ceiling", "compute_ceiling")
    brick_names = (
        "bytes_moved", "flops", "bandwidth_gbps", "gflops", "launch_overhead_us", "launches",
    )  # fmt: skip
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
            lambda: _computed(
                stem, "model_bytes", "model_bytes", "total_params", "bits_per_weight"
            ),
            5,
            "total_params and bits_per_weight each from 1 to 5",
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
            lambda: _computed(
                stem, "bandwidth_ceiling", "bw_ceiling", "bandwidth_gbps", "model_bytes"
            ),
            5,
            "bandwidth_gbps and model_bytes each from 1 to 5",
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
            lambda: _computed(
                stem, "compute_ceiling", "compute_ceiling", "gflops", "ops_per_token"
            ),
            5,
            "gflops and ops_per_token each from 1 to 5",
        ),
        Case(
            stem,
            "operations",
            {"total_params": 134_515_008, "ops_per_token": 269_030_016},
            {
                "total_params >= 1": {"total_params": 0},
                "Every weight is multiplied and added once": {"ops_per_token": 134_515_008},
            },
            lambda: _computed(stem, "operations", "ops_per_token", "total_params"),
            5,
            "total_params from 1 to 5",
        ),
        Case(
            stem,
            "throughput_bound",
            ceilings | {"throughput": 22.3},
            {
                "bw_ceiling > 0 and compute_ceiling > 0": {"compute_ceiling": 0.0},
                "Throughput is below both ceilings": {"throughput": 89.2},
            },
            lambda: _computed(stem, "throughput_bound", "throughput", *ceiling_names),
            5,
            "both ceilings from 1 to 5",
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
            lambda: _computed(stem, "bottleneck", "memory_bound", *ceiling_names),
            5,
            "both ceilings from 1 to 5",
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
            lambda: _computed(
                stem,
                "brick_budget",
                "budget_us",
                *brick_names,
                bound=3,
                efficiency=0.5,
                cold_start_us=0.0,
            ),
            3,
            "bytes, flops, bandwidth, gflops, overhead and launches each from 1 to 3, at half "
            "efficiency",
        ),
        Case(
            stem,
            "token_budget",
            {"throughput": 22.3, "us_per_token": 1e6 / 22.3},
            {
                "throughput > 0": {"throughput": 0.0},
                "Latency times throughput is one second": {"us_per_token": 1e3 / 22.3},
            },
            lambda: _computed(stem, "token_budget", "us_per_token", "throughput"),
            5,
            "throughput from 1 to 5",
        ),
    ]


def _every_fusion() -> list[Fields]:
    norms, projections, attention, activation, residuals = whole(5, 3)
    unfused = launches_per_layer(norms, projections, attention, activation, residuals)
    fused = launches_per_layer(norms, projections, 1, activation, residuals)
    return [{"fused_launches": fused, "unfused_launches": unfused}]


def _launch_cases() -> list[Case]:
    stem = "kernel-launch-budget-v1"
    kinds = (
        "norm_launches", "projection_launches", "attention_launches", "activation_launches",
        "residual_launches",
    )  # fmt: skip
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
            lambda: _computed(stem, "launches_per_layer", "launches_per_layer", *kinds),
            5,
            "launches of each of the five kinds from 1 to 5",
        ),
        Case(
            stem,
            "launches_per_token",
            token,
            {
                "layers >= 1": {"layers": 0},
                "Launches of a token add up": {"launches_per_token": 575},
            },
            lambda: _computed(
                stem,
                "launches_per_token",
                "launches_per_token",
                "layers",
                "launches_per_layer",
                "head_launches",
            ),
            5,
            "layers, launches of a layer and of the head, each from 1 to 5",
        ),
        Case(
            stem,
            "overhead",
            overhead,
            {
                "launch_overhead_us >= 0": {"launch_overhead_us": -0.1},
                "Overhead is launches times the cost of one": {"overhead_us": 19 * 0.6},
            },
            lambda: _computed(
                stem, "overhead", "overhead_us", "launches_per_token", "launch_overhead_us"
            ),
            5,
            "launches of a token and the cost of one, each from 1 to 5",
        ),
        Case(
            stem,
            "launch_overhead",
            overhead,
            {
                "launch_share in (0, 1]": {"launch_share": 10},
                "overhead_us >= 0": {"overhead_us": -0.1},
                "Launches take at most their share": {"us_per_token": 1_500},
            },
            lambda: [
                each | {"us_per_token": 100.0, "launch_share": 0.25}
                for each in _computed(
                    stem, "overhead", "overhead_us", "launches_per_token", "launch_overhead_us"
                )
            ],
            5,
            "launches of a token and the cost of one, each from 1 to 5, in a token of 100 us",
        ),
        Case(
            stem,
            "fusion",
            {"fused_launches": 13, "unfused_launches": 19},
            {
                "fused_launches >= 1": {"fused_launches": 0},
                "Fusion does not add launches": {"fused_launches": 22},
            },
            _every_fusion,
            3,
            "layers with launches of each kind from 1 to 3, and with a single one for attention",
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
            lambda: [{"used": _A - 1, "capacity": _A + _B, "nonfinite": 0, "guard_writes": 0}],
            5,
            "from 0 to 4 positions in use, and from 2 to 6 that are free",
        ),
        Case(
            stem,
            "brick_within_budget",
            {"median_us": 310.0, "budget_us": 329.1},
            {
                "budget_us > 0": {"budget_us": 0.0},
                "Brick keeps its budget": {"median_us": 3_100.0},
            },
            lambda: [{"median_us": _A, "budget_us": _A * (1 + _B) / 2}],
            5,
            "medians from 1 to 5, and budgets of as much to three times as much",
        ),
        Case(
            stem,
            "wall_coverage",
            {"coverage": 0.97},
            {"Bricks fit into wall time": {"coverage": 1.8}},
            lambda: [{"coverage": _A / (_A + _B - 1)}],
            5,
            "brick times from 1 to 5, and up to 4 more of wall time",
        ),
        Case(
            stem,
            "profiling_valid",
            {"coverage": 0.97, "decoded_tokens": 64},
            {
                "decoded_tokens >= 1": {"decoded_tokens": 0},
                "Profile covers the time spent": {"coverage": 0.42},
            },
            lambda: [{"coverage": 0.85 + 0.03 * _A, "decoded_tokens": _B}],
            5,
            "coverages from 0.88 to 1 in steps of 0.03, and from 1 to 5 tokens",
        ),
        Case(
            stem,
            "report_denominator",
            {"lm_head_count": 64, "decoded_tokens": 64},
            {
                "decoded_tokens >= 1": {"decoded_tokens": 0},
                "Output head runs once a decoded token": {"lm_head_count": 64 + 12},
            },
            lambda: [{"lm_head_count": _A, "decoded_tokens": _A}],
            5,
            "from 1 to 5 tokens",
        ),
        Case(
            stem,
            "per_token_cost",
            {"brick_total_us": 47_000.0, "lm_head_count": 64, "us_per_token": 47_000 / 64},
            {
                "lm_head_count >= 1": {"lm_head_count": 0},
                "Cost a token divides by decoded tokens": {"us_per_token": 47_000 / 64 / 61},
            },
            lambda: [{"brick_total_us": _A * _B, "lm_head_count": _B, "us_per_token": _A}],
            5,
            "costs and numbers of tokens from 1 to 5",
        ),
        Case(
            stem,
            "norm_count",
            {"layers": 30, "forward_passes": 64, "rms_norm_count": 61 * 64},
            {
                "layers >= 1 and forward_passes >= 1": {"forward_passes": 0},
                "Two norms a layer and a final one": {"rms_norm_count": 60 * 64},
            },
            lambda: [
                {
                    "layers": _A,
                    "forward_passes": _B,
                    "rms_norm_count": [sum([1, *[2] * a]) * b for a, b in zip(_A, _B, strict=True)],
                }
            ],
            5,
            "from 1 to 5 layers and passes",
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
            lambda: [
                {
                    "lm_head_us": _A + _B + _C,
                    "gate_us": _A + _B,
                    "rms_norm_us": _A,
                    "gate_bytes": 2e6,
                }
            ],
            5,
            "a norm from 1 to 5, and from 1 to 5 more for each of the others",
        ),
        Case(
            stem,
            "report_completeness",
            {"listed_bricks": 15, "bricks_run": 15},
            {
                "bricks_run >= 1": {"bricks_run": 0},
                "Report lists every brick that ran": {"listed_bricks": 11},
            },
            lambda: [{"listed_bricks": _A, "bricks_run": _A}],
            5,
            "from 1 to 5 bricks",
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
            lambda: [{"prompt_tokens": _A, "position": _A, "cached_positions": _A}],
            5,
            "prompts of 1 to 5 tokens",
        ),
        Case(
            stem,
            "decode_step",
            {"position": 41, "old(position)": 40},
            {
                "position >= 1": {"position": 0},
                "A step advances by one position": {"position": 42},
            },
            lambda: [{"position": _A + 1, "old(position)": _A}],
            5,
            "positions from 1 to 5",
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
            lambda: [
                {
                    "prompt_tokens": _A,
                    "generated": _B,
                    "max_tokens": _B + _C - 1,
                    "context_length": _A + _B + _D - 1,
                }
            ],
            5,
            "prompts and texts of 1 to 5 tokens, and limits that leave room for up to 4 more",
        ),
        Case(
            stem,
            "repeatability",
            {"ret": tokens, "repeat": tokens.copy()},
            {
                "len(ret) == len(repeat)": {"repeat": tokens[:63]},
                "Same seed, same tokens": {"repeat": planted(tokens, 50, 7)},
            },
            lambda: [{"ret": _A, "repeat": _A}],
            5,
            "tokens from 1 to 5",
        ),
        Case(
            stem,
            "throughput",
            {"generated": 64, "elapsed_s": 2.9, "tokens_per_s": 64 / 2.9},
            {
                "elapsed_s > 0": {"elapsed_s": 0.0},
                "Rate times time is the number of tokens": {"tokens_per_s": 104 / 2.9},
            },
            lambda: [{"generated": _A * _B, "elapsed_s": _B, "tokens_per_s": _A}],
            5,
            "rates and seconds from 1 to 5",
        ),
    ]


CASES = [*_roofline_cases(), *_launch_cases(), *_decode_cases(), *_pipeline_cases()]
