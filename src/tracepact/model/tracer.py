"""The model tracer: five traces of every forward pass, each checked against its contract."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tracepact.contracts import Condition, ContractRegistry
from tracepact.core import (
    ErrorStats,
    Stat,
    TensorStats,
    compare,
    compare_product,
    largest,
    measure,
    row_reduce,
)
from tracepact.core.arrays import as_array
from tracepact.model import activations, attention, kv_cache, logits, quantisation
from tracepact.model.batch import Batch, current_request
from tracepact.model.bricks import ACTIVATION_POINTS, BRICK_EQUATIONS, KV_CACHE_WRITE
from tracepact.model.config import TraceConfig
from tracepact.model.events import ATTENTION, HIDDEN, OUTPUT, POINTS, append, events
from tracepact.model.forward import ForwardTraces
from tracepact.model.guarded import guarded
from tracepact.model.kv_cache import KvCacheRecord
from tracepact.model.logits import LogitRecord
from tracepact.model.pass_state import Coming, PassState
from tracepact.model.quantisation import QuantisationRecord
from tracepact.model.summary import RunSummary
from tracepact.tracing import Context, ContractTracingLayer, Site
from tracepact.types import Array, BrickId
from tracepact.violation import Violation

_FULL = {"ret": Stat.FULL}


class ModelTracer:
    """Records and checks forward passes; engines call it, or you do by hand.

    Call `begin_forward`, any `record_*`, then `end_forward`. Every check runs at once, while its
    tensors are there; violations are reported when the pass ends, in order of execution.

    Args:
        layer: Checks and reports; without one, the shipped contracts are checked and nothing is
            exported.
        config: Which traces to take; `TraceConfig.full()` by default.

    Attributes:
        summary: Figures over all passes.
        tracing_ns: Time that hooks have spent, where an adapter measures it.

    Threads may share a tracer: each has its own pass.
    """

    def __init__(
        self, layer: ContractTracingLayer | None = None, config: TraceConfig | None = None
    ) -> None:
        self.layer = layer or ContractTracingLayer(ContractRegistry.builtin(), exporters=[])
        self.config = config or TraceConfig.full()
        self.summary = RunSummary()
        self.tracing_ns = 0
        self._sites: dict[tuple[str, str, bool], Site] = {}
        self._pass = PassState()
        self._lock = threading.Lock()

    @property
    def last(self) -> ForwardTraces:
        """Traces of this thread's forward pass that ended last, or is under way."""
        return self._pass.last

    @property
    def is_active(self) -> bool:
        """Whether this forward pass is looked at, by configuration, policy and sampling."""
        return self._pass.is_sampled

    def begin_forward(self, position: int, batch: Batch | None = None) -> None:
        """Start a pass whose first token is at `position`; drops what a broken pass left.

        Args:
            position: In each sequence.
            batch: The sequences, where there is more than one; fields then have their rows first.
        """
        is_sampled = not self.config.is_off and self.layer.admits(self)
        given = position, batch, current_request()
        self._pass.begin(*given, is_sampled=is_sampled, top_k=self.config.top_k)

    def put_off(self) -> Coming:
        """What `resume` wants to know of this pass, if it is to be looked at after it has ended."""
        state = self._pass
        return Coming(state.last.position, state.batch, state.request)

    def resume(self, earlier: Coming) -> None:
        """Go on with a pass that was put off, as `begin_forward` does with a new one."""
        self._pass.begin(*earlier, is_sampled=True, top_k=self.config.top_k)

    def select(self, batch: Batch | None) -> None:
        """Say whose the rows are that follow, where a model has dropped some on its way."""
        self._pass.batch = batch

    def end_forward(self) -> ForwardTraces:
        """Report what was found and return the traces.

        Raises:
            ContractViolation: Something does not hold and the policy is `raise`.
        """
        state, last = self._pass, self._pass.last
        try:
            with self._lock:
                self.summary.add(last)
        except Exception as error:
            self.layer.fault("the summary of a pass", error)
        state.drop()
        try:
            if last.violations:
                self.report()
        finally:
            state.causes.end()
        return last

    def report(self) -> None:
        """Report what was found since the last report; for bricks that run after a pass.

        Raises:
            ContractViolation: Something does not hold and the policy is `raise`.
        """
        state = self._pass
        found = state.last.violations[state.reported :]
        if not found:
            return
        try:
            if state.request is not None:
                found = [state.request.sign(violation) for violation in found]
            found = state.causes.assign(found)
            state.last.violations[state.reported :] = found
        except Exception as error:
            self.layer.fault("first causes", error)
        state.reported += len(found)
        self.layer.report(found)
        if state.request is not None:
            state.request.answer(found, self.layer)

    def end_forward_with_contracts(self, registry: ContractRegistry) -> ForwardTraces:
        """`end_forward`, checking what was recorded against the contracts of `registry` as well.

        By now statistics of the activations are left, the attention rows of the newest token, the
        logits, and the figures of the other traces; what a condition needs beyond that is reported
        as not checked. With the layer's own registry this is `end_forward`.
        """
        if registry is not self.layer.registry:
            other = ContractTracingLayer(registry, exporters=[], policy=self.layer.policy)
            held = self._pass.last.held
            late = self._pass.kept if held is None else [*held.checked(), *self._pass.kept]
            for (contract, equation), fields, context in [*self._logged(), *late]:
                if registry.postconditions(contract, equation) is not None:
                    site = other.site(contract, equation)
                    self._pass.last.violations += site.examine(fields, context)
            self.layer.take(other)
        return self.end_forward()

    def _logged(self) -> Iterator[tuple[tuple[str, str], Mapping[str, Any], Context]]:
        for event in events(self._pass.last.log):
            if event.kind == ATTENTION:
                context = self._context(event.layer, BrickId.AttentionSoftmax, attention.TRACE)
                yield attention.EQUATION, {"ret": event.array}, context
            elif event.kind != HIDDEN:
                context = self._context(event.layer, None, activations.TRACE)
                yield activations.EQUATION, {"ret": event.stats}, context

    # -- producers ---------------------------------------------------------------------------

    @guarded
    def record_brick(
        self, brick: str, layer: int | None, fields: Mapping[str, Any]
    ) -> TensorStats | None:
        """Check one brick: its inputs by name, and its result as `ret`.

        The result joins the trace that belongs to the brick: MLT-01 for norms and the two updates
        of the residual stream, MLT-02 for the softmax.

        Returns:
            What was measured of the result, if anything.
        """
        if not self._pass.is_sampled:
            return None
        if brick == BrickId.AttentionSoftmax and self.config.attention:
            self.record_attention(layer or 0, fields["ret"])
            return None
        point = ACTIVATION_POINTS.get(BrickId(brick)) if brick in BrickId.__members__ else None
        stats: TensorStats | None = None
        found: list[Violation] = []
        if self.config.bricks and brick in BRICK_EQUATIONS:
            context = self._context(layer, brick, None)
            also = _FULL if point else None
            found, statistics = self._examine(BRICK_EQUATIONS[brick], fields, context, also)
            stats = statistics.get("ret")
        if point is not None and self.config.activations:
            # First, so that a value that is not finite is named by its trace, then by its kernel.
            self.record_activation(layer, point, fields["ret"], brick=brick, stats=stats)
        self._pass.last.violations += found
        return stats

    @guarded
    def record_activation(
        self,
        layer: int | None,
        point: str,
        value: Array | None,
        *,
        brick: str | None = None,
        stats: TensorStats | None = None,
    ) -> None:
        """MLT-01: one point of one layer.

        Args:
            layer: Index, or None outside the stack.
            point: `input`, `post-norm`, `post-attention`, `post-ffn` or `output`.
            value: Any shape; the last row is kept for MLT-03 where the point is `output`. None
                where statistics are all that is left of it.
            brick: What computed it.
            stats: Full statistics, where somebody measured them already.
        """
        if not self._pass.is_sampled:
            return
        if not self.config.activations:
            if point == "output" and self.config.logits and value is not None:
                append(self._pass.last.log, HIDDEN, layer, TensorStats(), _last_row(value))
            return
        before = self._pass.layer_output
        if point == "input" and before is not None and before[0] is value:
            stats = before[1]  # the layer before has been checked
        else:
            context = self._context(layer, brick, activations.TRACE)
            found: list[Violation] = []
            if value is not None and (stats is None or stats.nonfinite_count):
                found, measured = self._examine(
                    activations.EQUATION, {"ret": value}, context, _FULL
                )
                stats = measured.get("ret", stats)
            else:
                found, _ = self._examine(activations.EQUATION, {"ret": stats}, context, _FULL)
            self._pass.last.violations += found
        if stats is None:
            return
        kept: Array | None = None
        if point == "output" and value is not None:
            self._pass.layer_output = (value, stats)
            kept = _last_row(value) if self.config.logits else None
        append(self._pass.last.log, POINTS.index(point), layer, stats, kept)

    @guarded
    def record_attention(
        self, layer: int, weights: Array, *, brick: str = BrickId.AttentionSoftmax
    ) -> None:
        """MLT-02: weights [heads, queries, keys] after the softmax; masked entries are 0.

        Hand in only rows that count: no padding, no row that is masked as a whole.
        """
        if not (self._pass.is_sampled and self.config.attention):
            return
        context = self._context(layer, brick, attention.TRACE)
        found, statistics = self._examine(attention.EQUATION, {"ret": weights}, context)
        self._pass.last.violations += found
        sums = statistics.get("row_sums(ret)")
        if sums is None:  # the contract does not ask for them
            sums = measure(row_reduce("row_sums", weights), Stat.RANGE)
        append(self._pass.last.log, ATTENTION, layer, sums, as_array(weights)[..., -1:, :].copy())

    @guarded
    def record_fused_attention(
        self,
        layer: int,
        weights: Array,
        ret: Array,
        *,
        reference: Array,
        values: Array,
        sequence: int | None = None,
    ) -> None:
        """MLT-02 of a fused kernel, which gives no rows out: some rows that were computed anew.

        Args:
            layer: Index of the layer.
            weights: [heads, queries, keys], as in `record_attention`.
            ret: What the kernel gave out.
            reference: The same from these weights and the values; the shape of `ret`.
            values: What was weighed.
            sequence: Whose rows they are, in a batch.
        """
        if not (self._pass.is_sampled and self.config.attention):
            return
        self.record_attention(layer, weights)
        context = self._context(layer, BrickId.AttentionOutput, attention.TRACE)
        fields = {"ret": ret, "reference": reference, "values": values}
        found, _ = self._examine(attention.FUSED_EQUATION, fields, context)
        self._pass.last.violations += [replace(v, batch=sequence) for v in found]

    @guarded
    def record_logits(
        self,
        values: Array,
        *,
        row_norms: Array | None = None,
        hidden_norm: float = 1.0,
        lens: logits.Lens | None = None,
        temperature: float = 0.0,
        top_p: float = 1.0,
        sequence: int | None = None,
    ) -> None:
        """MLT-03: logits of the newest token.

        Args:
            values: [vocabulary].
            row_norms: [vocabulary], L2 norm of each row of the output matrix; without it the
                magnitude is not checked.
            hidden_norm: L2 norm of the final hidden state.
            lens: Turns hidden states into logits, to follow the winners through the layers.
            temperature: Of the sampler.
            top_p: Of the sampler.
            sequence: Whose logits they are, in a batch.
        """
        if not (self._pass.is_sampled and self.config.logits):
            return
        share = math.nan
        if row_norms is not None:
            share = logits.bound_utilization(values, row_norms, hidden_norm)
            context = self._context(None, BrickId.LmHead, logits.TRACE)
            fields = {"logits": values, "output_norms": row_norms, "hidden_norm": hidden_norm}
            found, _ = self._examine(logits.EQUATION, fields, context)
            self._pass.last.violations += [replace(v, batch=sequence) for v in found]
        log = self._pass.last.log
        tokens = largest(values, min(self.config.top_k, values.size))
        self._pass.last.logits = LogitRecord(
            tokens=tokens,
            logits=values[tokens],
            bound_utilization=share,
            temperature=temperature,
            top_p=top_p,
            hidden=log.arrays(OUTPUT) or log.arrays(HIDDEN),
            lens=lens,
            full_ranks=self.config.full_ranks,
        )

    @guarded
    def record_quantisation(
        self,
        tensor: str,
        quant_type: str,
        reference: Array,
        value: Array,
        *,
        threshold: float,
        layer: int | None = None,
        brick: str | None = None,
    ) -> ErrorStats | None:
        """MLT-04: a quantised tensor, or the output of a quantised matmul, and its reference.

        Args:
            tensor: Name of the tensor.
            quant_type: Name of its storage type, as in `Q4_1`.
            reference: What it ought to be; same shape.
            value: What it is.
            threshold: Largest relative error (Frobenius) that its type explains.
            layer: Index of the layer.
            brick: What uses it.
        """
        if not (self._pass.is_sampled and self.config.quantisation):
            return None
        error = compare(reference, value)
        self._record_error(tensor, quant_type, error, threshold, layer, brick)
        return error

    @guarded
    def record_quantised_product(
        self,
        tensor: str,
        quant_type: str,
        weight: Array,
        x: Array,
        value: Array,
        *,
        bias: Array | None = None,
        threshold: float,
        layer: int | None = None,
        brick: str | None = None,
    ) -> ErrorStats | None:
        """MLT-04: outputs of a quantised matmul and the product that they ought to be.

        Args:
            tensor: Name of the tensor.
            quant_type: Name of its storage type.
            weight: [rows, n] as the weights ought to be.
            x: [n], what they were multiplied with.
            value: [rows], what came out.
            bias: [rows].
            threshold: As in `record_quantisation`, and so is what follows.
            layer: Index of the layer.
            brick: What uses it.
        """
        if not (self._pass.is_sampled and self.config.quantisation):
            return None
        error = compare_product(weight, x, value, bias)
        self._record_error(tensor, quant_type, error, threshold, layer, brick)
        return error

    def _record_error(
        self,
        tensor: str,
        quant_type: str,
        error: ErrorStats,
        threshold: float,
        layer: int | None,
        brick: str | None,
    ) -> None:
        fields = quantisation.fields(error, threshold)
        context = self._context(layer, brick, quantisation.TRACE)
        found, _ = self._examine(quantisation.EQUATION, fields, context)
        self._pass.last.violations += found
        record = QuantisationRecord(tensor, quant_type, layer, brick, error)
        self._pass.last.add_quantisation(record)

    @guarded
    def record_kv_cache(
        self, record: KvCacheRecord, *, nonfinite: Array, guard_writes: Array
    ) -> None:
        """MLT-05: the cache after a pass.

        Args:
            record: Its figures.
            nonfinite: [layers] NaN and Inf among what this pass wrote.
            guard_writes: [layers] elements written past the capacity.
        """
        if not (self._pass.is_sampled and self.config.kv_cache):
            return
        fields = kv_cache.fields(record.used, record.capacity, nonfinite, guard_writes)
        context = self._context(None, KV_CACHE_WRITE, kv_cache.TRACE)
        found, _ = self._examine(kv_cache.EQUATION, fields, context)
        # The per-layer fields tell which layer it was: the first offending index.
        self._pass.last.violations += [
            replace(v, layer=v.index[0] if v.index else v.layer, batch=None) for v in found
        ]
        self._pass.last.kv_cache = record

    def conditions(self, equation: tuple[str, str]) -> list[Condition]:
        """What is checked for an equation; clauses that cannot be are noted as faults."""
        return list(self._site(equation, None).conditions)

    def add_counted(self, counted: tuple[int, int, int], conditions: int, took_ns: int) -> None:
        """Take in the conditions of bricks, MLT-01 and MLT-02 that a native half has tested.

        `conditions` of them the layer has not counted yet.
        """
        self.summary.count_pass(counted)
        self.layer.count_check(conditions, took_ns)

    # -- checking ----------------------------------------------------------------------------

    def _context(self, layer: int | None, brick: str | None, trace: str | None) -> Context:
        return Context(layer, brick, trace, self._pass.last.position)

    def _examine(
        self,
        equation: tuple[str, str],
        fields: Mapping[str, Any],
        context: Context,
        also: Mapping[str, Stat] | None = None,
    ) -> tuple[list[Violation], dict[str, TensorStats]]:
        """Violations, and statistics of the fields: those of `also`, and of a softmax."""
        site = self._site(equation, also)
        statistics: dict[str, TensorStats] = {}
        wanted = statistics if also or context.trace == attention.TRACE else None
        found = site.examine(fields, context, wanted)
        if found and self._pass.batch is not None:
            rows_behind_heads = context.trace == attention.TRACE and fields["ret"].ndim == 3
            found = [
                replace(v, batch=self._pass.batch.sequence(v.index, axis=int(rows_behind_heads)))
                for v in found
            ]
        with self._lock:
            self.summary.count(context.trace, len(site.conditions))
        if context.trace not in (None, activations.TRACE, attention.TRACE):
            self._pass.kept.append((equation, dict(fields), context))
        return found, statistics

    def _site(self, equation: tuple[str, str], also: Mapping[str, Stat] | None) -> Site:
        key = (*equation, bool(also))
        site = self._sites.get(key)
        if site is None:
            site = self._sites[key] = self.layer.site_if_known(*equation, also=also)
        return site


def _last_row(value: Array) -> Array:
    array = as_array(value)
    return array.reshape(-1, array.shape[-1])[-1:].copy()
