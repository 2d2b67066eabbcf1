"""Holds a profile to its contracts; findings are ordinary violations of the tracing layer."""

from __future__ import annotations

from typing import Final

from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError
from tracepact.profiling.profile_report import (
    BrickProfile,
    PhaseProfile,
    ProfileReport,
    profile_report,
)
from tracepact.profiling.profiler import BrickProfiler
from tracepact.profiling.roofline import Roofline
from tracepact.tracing import Context, ContractTracingLayer, Site
from tracepact.types import BrickId

PROFILING_CONTRACT: Final = "gpu-decode-profiling-v1"

MIN_CALLS: Final = 5
"""Calls that a median needs before it is judged, so that one preempted call is no violation."""


def check_profile(
    profiler: BrickProfiler,
    layer: ContractTracingLayer | None = None,
    roofline: Roofline | None = None,
    *,
    layers: int | None = None,
) -> bool:
    """Check what a profiler found against `gpu-decode-profiling-v1`, once, after a run.

    Budgets are judged on decode calls, each brick of each layer by the median of at least
    `MIN_CALLS` calls, and only where times are those of the work: not while a device runs behind.
    An equation that the registry does not have, or whose preconditions do not hold, says nothing.

    Args:
        profiler: with no pass under way.
        layer: where findings go; by default the profiler's own.
        roofline: gives the budgets; without it none is judged.
        layers: of the model; by default as many as the profiler has seen.

    Returns:
        Whether everything holds.

    Raises:
        ConfigError: neither argument nor profiler has a layer.
        ContractViolation: something does not hold and the policy is `raise`.
    """
    layer = layer or profiler.layer
    if layer is None:
        raise ConfigError(
            "check_profile has no layer to report to; pass one, or make BrickProfiler(layer)"
        )
    if not layer.is_on:
        return True
    report = profile_report(profiler, roofline)
    checks = _Checks(layer)
    if profiler.times_are_true:
        _check_budgets(checks, report.decode)
        _check_ordering(checks, report.decode)
    _check_totals(checks, report.decode, layers)
    _check_report(checks, report, profiler)
    return checks.all_hold


def is_valid_profile(registry: ContractRegistry, coverage: float) -> bool:
    """Whether bricks cover enough of the wall time for their shares to mean something.

    A profile that is not valid is unusable, not wrong, so this is no violation.
    """
    conditions = registry.postconditions(PROFILING_CONTRACT, "profiling_valid") or ()
    return all(c.predicate.check(tol=c.tolerance, coverage=coverage) for c in conditions)


class _Checks:
    """Runs checks against one contract and remembers whether all of them hold."""

    def __init__(self, layer: ContractTracingLayer) -> None:
        self.all_hold = True
        self._layer = layer
        self._sites: dict[str, Site] = {}

    def check(self, equation: str, context: Context | None = None, /, **fields: float) -> None:
        """Check fields unless the contract does not speak about them.

        Sampling does not apply: a check that runs once a run would never be drawn.
        """
        if self._layer.registry.postconditions(PROFILING_CONTRACT, equation) is None:
            return
        site = self._sites.get(equation)
        if site is None:
            site = self._layer.site(PROFILING_CONTRACT, equation, preconditions=True)
            self._sites[equation] = site
        violations = site.examine(fields, context or site.context)
        if any(each.kind == "precondition" and each.verdict == "failed" for each in violations):
            return
        self.all_hold = self.all_hold and not violations
        site.report(violations)


def _check_budgets(checks: _Checks, decode: PhaseProfile) -> None:
    for brick in decode.by_layer:
        if brick.budget_us is not None and brick.calls >= MIN_CALLS:
            checks.check(
                "brick_within_budget",
                Context(layer=brick.layer, brick=brick.brick),
                median_us=brick.median_us,
                budget_us=brick.budget_us,
            )


def _check_ordering(checks: _Checks, decode: PhaseProfile) -> None:
    head, gate, norm = (
        _find(decode, brick) for brick in (BrickId.LmHead, BrickId.GateProjection, BrickId.RmsNorm)
    )
    if head and gate and norm and norm.calls >= MIN_CALLS and head.calls >= MIN_CALLS:
        checks.check(
            "brick_ordering",
            lm_head_us=head.median_us,
            gate_us=gate.median_us,
            rms_norm_us=norm.median_us,
            gate_bytes=gate.bytes_moved / gate.calls,
        )


def _check_totals(checks: _Checks, decode: PhaseProfile, layers: int | None) -> None:
    if decode.coverage is not None:
        checks.check("wall_coverage", coverage=decode.coverage)
    if decode.lm_head_calls and decode.passes:
        checks.check(
            "report_denominator",
            lm_head_count=decode.lm_head_calls,
            decoded_tokens=decode.passes,
        )
    norm = _find(decode, BrickId.RmsNorm)
    if norm and decode.passes:
        seen = {brick.layer for brick in decode.by_layer} - {None}
        checks.check(
            "norm_count",
            Context(brick=norm.brick),
            rms_norm_count=norm.calls,
            layers=len(seen) if layers is None else layers,
            forward_passes=decode.passes,
        )


def _check_report(checks: _Checks, report: ProfileReport, profiler: BrickProfiler) -> None:
    for brick in report.decode.bricks:
        if brick.us_per_token is not None:
            checks.check(
                "per_token_cost",
                Context(brick=brick.brick),
                us_per_token=brick.us_per_token,
                lm_head_count=report.decode.lm_head_calls,
                brick_total_us=brick.total_us,
            )
    listed = {brick.brick for brick in (*report.decode.bricks, *report.prefill.bricks)}
    ran = {brick for counted in profiler.samples.values() for _, brick in counted}
    checks.check("report_completeness", listed_bricks=len(listed), bricks_run=len(ran))


def _find(decode: PhaseProfile, name: str) -> BrickProfile | None:
    return next((brick for brick in decode.bricks if brick.brick == name), None)
