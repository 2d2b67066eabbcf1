"""What a native probe checks of each brick, compiled from the contracts of a tracer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from tracepact.contracts import Condition
from tracepact.core import Stat
from tracepact.model import activations, attention, kv_cache, logits, quantisation
from tracepact.model.bricks import ACTIVATION_POINTS, BRICK_EQUATIONS
from tracepact.model.events import ATTENTION, NO_EVENT, POINTS
from tracepact.predicate import compile_plan
from tracepact.types import BrickId

if TYPE_CHECKING:
    from tracepact.core import _native
    from tracepact.model.tracer import ModelTracer

NORM_TURNS: Final = 4
"""Decoded tokens in which each layer's norms are held against their contract once; in the others
they have to be finite. A norm's contract costs more than all else that is asked of its result."""

_FULL = {"ret": Stat.FULL}


class Watched(NamedTuple):
    """What a native half checks of a result.

    Attributes:
        plan: The conditions, None where there are none or the native core cannot run them.
        counts: How many belong to bricks, to MLT-01 and to MLT-02.
        kind: Of the event that the result leaves.
        is_left: Whether there is something to check, and Python has to.
    """

    plan: _native.Plan | None
    counts: tuple[int, int, int]
    kind: int
    is_left: bool


def watch_bricks(
    probe: _native.Probe, tracer: ModelTracer | None, with_more: Collection[str]
) -> None:
    """Tell a probe what to check of each brick; without a tracer it only times them.

    Conditions of a brick and of the trace that its result belongs to become one plan, so that they
    share one pass over the result. A brick whose plan the native core cannot run is traced in
    Python. Of those of `with_more`, Python wants to see the fields besides.
    """
    for brick in BRICK_EQUATIONS:
        watched = Watched(None, (0, 0, 0), NO_EVENT, is_left=False)
        if tracer is not None:
            watched = watched_brick(tracer, brick)
        plan, counts, kind, is_left = watched
        probe._watch(brick, plan, counts, kind, is_left, brick in with_more)
    if tracer is not None and tracer.config.activations:
        conditions = tracer.conditions(activations.EQUATION)
        probe._watch(None, _plan(conditions, 0), (0, len(conditions), 0), 0, False, False)


def watched_brick(tracer: ModelTracer, brick: str) -> Watched:
    """What is checked of a brick's result: its own contract, and the trace that it belongs to."""
    conditions, traced = _brick_conditions(tracer, brick), _trace_conditions(tracer, brick)
    kind, counts = NO_EVENT, (len(conditions), 0, 0)
    if _is_attention(tracer, brick):
        kind, counts = ATTENTION, (0, 0, len(traced))
    elif _is_activation(tracer, brick):
        kind = POINTS.index(ACTIVATION_POINTS[BrickId(brick)])
        counts = (len(conditions), len(traced), 0)
    everything = conditions + traced
    plan = _plan(everything, kind)
    return Watched(plan, counts, kind, plan is None and (bool(everything) or kind != NO_EVENT))


def watched_activation(tracer: ModelTracer, kind: int) -> Watched:
    """What MLT-01 checks of any tensor."""
    conditions = tracer.conditions(activations.EQUATION) if tracer.config.activations else []
    plan = _plan(conditions, kind)
    return Watched(plan, (0, len(conditions), 0), kind, plan is None)


def watch_parts(probe: _native.Probe, tracer: ModelTracer, points: Mapping[str, str]) -> None:
    """Tell a probe of parts of a layer that have no contract of their own, only MLT-01's.

    Args:
        probe: What is told.
        tracer: Whose contracts.
        points: Name of the part to its point.
    """
    for part, point in points.items():
        plan, counts, kind, is_left = watched_activation(tracer, POINTS.index(point))
        probe._watch(part, plan, counts, kind, is_left, False)


def watch_pass_end(
    tracer: ModelTracer, threshold: float
) -> tuple[_native.PassEnd, Mapping[str, int]] | None:
    """What decides on MLT-03 to MLT-05 in one call, and how many conditions of each it tests.

    None where the native core cannot run the conditions of one of them.
    """
    from tracepact.core import _native  # noqa: PLC0415 - only where it was selected

    config, state = tracer.config, tracer.layer.native_state
    if state is None:
        return None
    plans: list[_native.Plan | None] = []
    counts: dict[str, int] = {}
    for trace, equation, wanted in (
        (logits.TRACE, logits.EQUATION, config.logits),
        (quantisation.TRACE, quantisation.EQUATION, config.quantisation),
        (kv_cache.TRACE, kv_cache.EQUATION, config.kv_cache),
    ):
        conditions = tracer.conditions(equation) if wanted else []
        plan = _plan(conditions, NO_EVENT)
        if wanted and plan is None:
            return None
        plans.append(plan)
        counts[trace] = len(conditions)
    if not isinstance(state, _native.LayerState):
        return None
    try:
        end = _native.PassEnd(
            state,
            BrickId.LmHead,
            config.top_k if config.logits else 0,
            (plans[0], plans[1], plans[2]),
            (counts[logits.TRACE], counts[quantisation.TRACE], counts[kv_cache.TRACE]),
            threshold,
        )
    except ValueError:  # another registry's conditions look at something else
        return None
    return end, counts


def _is_attention(tracer: ModelTracer, brick: str) -> bool:
    return brick == BrickId.AttentionSoftmax and tracer.config.attention


def _is_activation(tracer: ModelTracer, brick: str) -> bool:
    return brick in ACTIVATION_POINTS and tracer.config.activations


def _brick_conditions(tracer: ModelTracer, brick: str) -> list[Condition]:
    if not tracer.config.bricks or _is_attention(tracer, brick):
        return []
    return tracer.conditions(BRICK_EQUATIONS[brick])


def _trace_conditions(tracer: ModelTracer, brick: str) -> list[Condition]:
    if _is_attention(tracer, brick):
        return tracer.conditions(attention.EQUATION)
    return tracer.conditions(activations.EQUATION) if _is_activation(tracer, brick) else []


def _plan(conditions: list[Condition], kind: int) -> _native.Plan | None:
    if not conditions:
        return None
    also = _FULL if kind in range(len(POINTS)) else {}
    return compile_plan([(c.predicate.node, c.tolerance) for c in conditions], also).native
