"""Watches one context of llama.cpp and hands what it sees to the model tracer."""

from __future__ import annotations

import ctypes
import functools
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from tracepact.engines.llamacpp.cache import CacheTrace
from tracepact.engines.llamacpp.calls import Call, unwatch_calls, watch_calls
from tracepact.engines.llamacpp.context import Attached
from tracepact.engines.llamacpp.costs import NodeCosts
from tracepact.engines.llamacpp.fused_attention import FusedAttentionTrace
from tracepact.engines.llamacpp.logits import LogitTrace
from tracepact.engines.llamacpp.model_file import ModelFile
from tracepact.engines.llamacpp.nodes import Field, Node, Part, node_of
from tracepact.engines.llamacpp.products import ProductTrace
from tracepact.engines.llamacpp.slots import Slot
from tracepact.engines.llamacpp.tensors import Reader, Tensor
from tracepact.engines.llamacpp.watcher import FIRST_SLOT, Handlers, new_watcher
from tracepact.errors import ConfigError
from tracepact.model import ModelTracer
from tracepact.model.batch import Batch
from tracepact.model.events import ATTENTION, NO_EVENT, POINTS
from tracepact.model.pass_end import PassEnd
from tracepact.model.watching import NORM_TURNS, Watched, watched_activation, watched_brick
from tracepact.profiling import BrickProfiler
from tracepact.types import BrickId

_ROWS_OF_HEADS: Final = 3
"""Axes of attention weights."""


class LlamaWatch:
    """All that is done about one context while it is traced.

    Args:
        attached: The context.
        tracer: Takes the traces.
        profiler: Takes the times of bricks; every brick's node is then asked for.
        reference: Path of a GGUF file with the weights that there ought to be, for MLT-04; the
            model's own file by default.

    Raises:
        ConfigError: The layout of the library's tensors is not known.
        ModelFileError: The reference cannot be read.
    """

    def __init__(
        self,
        attached: Attached,
        tracer: ModelTracer,
        profiler: BrickProfiler | None = None,
        reference: str | None = None,
    ) -> None:
        self._attached = attached
        self._tracer = tracer
        self._profiler = profiler
        self._costs = NodeCosts()
        self._reader = Reader(attached.library)
        handlers = Handlers(self._meet, self._show, self._start, self._stop)
        self._watcher = new_watcher(self._reader, attached.callback, handlers)
        self._nodes: dict[Node, int] = {}
        self._rules: dict[int, Node] = {}
        self._layers = _layers(attached)
        self._slots: dict[Slot, int] = {}
        self._lock = threading.RLock()
        self._call: Call | None = None
        self._turn = -1
        self._passes = itertools.count()
        path = attached.model_file
        file = None if path is None else ModelFile(path)
        config = tracer.config
        self._cache = CacheTrace(attached, tracer)
        self._logits = LogitTrace(attached, tracer, file) if config.logits else None
        expected = file if reference is None else ModelFile(reference)
        self._products: ProductTrace | None = None
        if config.quantisation:
            self._products = ProductTrace(tracer, expected, is_own=reference is None)
        self._pass_end = PassEnd(tracer)
        self._fused = FusedAttentionTrace(tracer) if config.attention else None

    def install(self) -> None:
        """Start to watch.

        Raises:
            ConfigError: Somebody watches this context already.
        """
        attached = self._attached
        if not watch_calls(attached.library, attached.pointer, self):
            raise ConfigError("this context is traced already; end that `with` block first")
        self._watcher._plug(attached.callback, True)

    def remove(self) -> None:
        """End it, once a pass that is under way has ended."""
        attached = self._attached
        with self._lock:
            unwatch_calls(attached.library, attached.pointer)
            self._watcher._plug(attached.callback, False)

    # -- a pass ------------------------------------------------------------------------------

    def around(self, run: Callable[[], int], call: Call) -> int:
        """One `llama_decode`; raises ContractViolation after it, where the policy says so."""
        with self._lock:
            is_on = self._begin(call)
            try:
                status = run()
            except BaseException:
                if is_on:
                    self._watcher._end(False)
                raise
            if is_on:
                self._end(call, status)
            return status

    def forget(self) -> None:
        """What the cache holds is no longer what was written."""
        self._watcher._forget()
        self._cache.forget()

    def _begin(self, call: Call) -> bool:
        tracer = self._tracer
        try:
            position = self._cache.position if call.position is None else call.position
            tracer.begin_forward(position, _batch(call, call.sequences))
            if self._profiler is not None:
                self._profiler.begin_forward()
            if not tracer.is_active:
                self._watcher._forget()  # what this pass writes is not seen
                return False
            if self._attached.moves_cells:
                self._watcher._forget()
            self._call = call
            log = tracer.last.log if tracer.config.activations else None
            self._turn = next(self._passes) % NORM_TURNS if call.tokens == 1 else -1
            is_timed = self._profiler is not None
            self._watcher._begin(log, is_timed, self._turn)
            due = [] if self._products is None else self._products.take_turn(call.tokens)
            due = due if self._fused is None else [*due, *self._fused.take_turn()]
            for rule in due:
                self._watcher._want(rule)
        except Exception as error:
            tracer.layer.fault("the start of a pass", error)
            return False
        return True

    def _end(self, call: Call, status: int) -> None:
        tracer = self._tracer
        start_ns = time.perf_counter_ns()
        try:
            counted, native_ns, asked, _, is_lost, found = self._watcher._end(status == 0)
            tracer.add_counted(counted, sum(counted), native_ns)
            tracer.tracing_ns += native_ns
            if is_lost:
                raise RuntimeError("the nodes of a graph could not all be looked at")
            if status == 0 and not asked:
                raise RuntimeError("the engine did not call back")
            if not (status == 0 and not found and self._holds(call)):
                if status == 0 and self._logits is not None:
                    self._logits.record(call)
                self._cache.record(call, status, found)
        except Exception as error:
            tracer.layer.fault("the end of a pass", error)
        tracer.tracing_ns += time.perf_counter_ns() - start_ns
        self._call = None
        if self._profiler is not None:
            self._time(lambda profiler: profiler.end_forward())
        tracer.end_forward()

    def _holds(self, call: Call) -> bool:
        """Whether logits and cache of a decoded token hold, at once."""
        config = self._tracer.config
        is_alone = call.tokens == 1 and call.sequences is None
        if not is_alone or not (config.logits or config.kv_cache):
            return False
        top = None if self._logits is None else self._logits.newest(call)
        cache = self._cache.newest(call) if config.kv_cache else None
        if (config.logits and top is None) or (config.kv_cache and cache is None):
            return False
        return self._pass_end.holds(top, cache)

    # -- nodes -------------------------------------------------------------------------------

    def _meet(self, address: int) -> int | None:
        """The rule of a node that was never seen after those before it."""
        try:
            tensor = Tensor(self._reader, address)
            node = node_of(tensor, self._layers)
            if node is None:
                return self._learn_slot(tensor)
            if self._logits is not None:
                self._logits.meet(node)
            if node not in self._nodes:
                self._nodes[node] = self._learn(node)
                self._rules[self._nodes[node]] = node
                if self._products is not None and self._products.add(node, self._nodes[node]):
                    self._watcher._want(self._nodes[node])
                if self._fused is not None and node.is_fused_attention:
                    self._fused.add(self._nodes[node])
            return self._nodes[node]
        except Exception as error:
            self._tracer.layer.fault("a node of a graph", error)
            return None

    def _learn_slot(self, tensor: Tensor) -> int | None:
        if not self._tracer.config.kv_cache or self._call is None:
            return None
        slot = self._cache.slot_of(tensor, self._call.tokens)
        if slot is None:
            return None
        if slot not in self._slots:
            self._slots[slot] = self._watcher._slot(*slot.numbers())
        return FIRST_SLOT - self._slots[slot]

    def _learn(self, node: Node) -> int:
        first = -1
        for part in node.parts:
            number = self._learn_part(part, first)
            first = number if first < 0 else first
        if first < 0:
            first = self._watcher._watch(None, (), (0, 0, 0), (), False, -1, -1, -1)
        return first

    def _learn_part(self, part: Part, first: int) -> int:
        tracer, watch = self._tracer, self._watcher._watch
        if part.points:
            watched = watched_activation(tracer, POINTS.index(part.points[0][0]))
        else:
            watched = watched_brick(tracer, part.brick or "")
        plan, counts, _, _ = watched
        if _needs_python(watched, part, tracer) or plan is None:
            return watch(None, (), counts, (), plan is not None or watched.is_left, first, -1, -1)
        less = turn = -1
        if (_is_norm(part) and part.layer is not None) and tracer.config.bricks:
            less = self._learn_part(replace(part, points=(("post-norm", part.layer),)), -1)
            turn = part.layer % NORM_TURNS
        is_read = {field.name: field for field in part.fields}
        fields = tuple(_where(is_read[name]) for name in plan.fields)
        return watch(plan, fields, counts, _events(watched, part), False, first, less, turn)

    def _show(self, address: int, rule: int, is_done: bool) -> None:
        """Look at a node that does not hold for sure natively, or whose turn it is."""
        tracer = self._tracer
        try:
            node, tensor = self._rules[rule], Tensor(self._reader, address)
            if not is_done:
                self._select(tensor.shape[-2])
                for part in node.parts:
                    self._record(part, tensor)
            if self._fused is not None and self._fused.is_turn_of(rule):
                self._fused.look(node, tensor)
            if self._products is not None and self._products.is_turn_of(rule):
                self._products.compare(node, tensor)
        except Exception as error:
            tracer.layer.fault("a node of a graph", error)

    def _record(self, part: Part, tensor: Tensor) -> None:
        tracer = self._tracer
        fields: dict[str, Any] = {}
        for field in part.fields:
            value = _value(field, tensor)
            if value is not None:
                fields[field.name] = value
        is_turn = self._turn < 0 or part.layer is None or part.layer % NORM_TURNS == self._turn
        if part.points:
            for point, layer in part.points if "ret" in fields else ():
                tracer.record_activation(layer, point, fields["ret"], brick=part.brick)
        elif len(fields) == len(part.fields) and (is_turn or not _is_norm(part)):
            tracer.record_brick(part.brick or "", part.layer, fields)
        elif "ret" in fields and _is_norm(part):
            # It is not its turn, or what it was computed from is gone; what it computed is there.
            tracer.record_activation(part.layer, "post-norm", fields["ret"], brick=part.brick)

    def _select(self, rows: int) -> None:
        """Say whose the rows of a tensor are: all tokens', or those whose logits are wanted."""
        call = self._call
        if call is None or call.sequences is None:
            return
        of = None
        if rows == call.tokens:
            of = call.sequences
        elif rows == len(call.outputs):
            of = call.sequences[call.outputs]
        self._tracer.select(_batch(call, of))

    # -- times -------------------------------------------------------------------------------

    def _start(self, rule: int) -> None:
        node = self._rules[rule]
        self._time(lambda profiler: profiler.start(node.brick, node.layer))

    def _stop(self, rule: int, address: int) -> None:
        node, call = self._rules[rule], self._call
        tokens = 1 if call is None else max(1, call.tokens)
        cost = functools.partial(self._costs.of, rule, Tensor(self._reader, address))
        self._time(
            lambda p: p.exclude_since(p.stop(node.brick, node.layer, cost=cost, tokens=tokens))
        )

    def _time(self, call: Callable[[BrickProfiler], object]) -> None:
        if self._profiler is not None:
            try:
                call(self._profiler)
            except Exception as error:
                self._tracer.layer.fault("the profiler", error)


def _layers(attached: Attached) -> int:
    function, pointer = attached.library.function, ctypes.c_void_p
    model = function("llama_get_model", pointer, pointer)(attached.pointer)
    for name in ("llama_model_n_layer", "llama_n_layer"):
        count = function(name, ctypes.c_int32, pointer)
        if count is not None:
            return int(count(model))
    return 0


def _batch(call: Call, sequences: Any) -> Batch | None:
    """The sequences of rows, where there are several."""
    if call.sequences is None:
        return None
    size = int(call.sequences.max()) + 1
    rows = np.full(0, -1) if sequences is None else sequences
    return Batch(size, call.tokens, rows)


def _needs_python(watched: Watched, part: Part, tracer: ModelTracer) -> bool:
    """Whether C cannot decide on a part, or would leave no trace of it."""
    if watched.plan is None:
        return watched.is_left
    known, fields = {field.name for field in part.fields}, set(watched.plan.fields)
    return not tracer.config.activations or not {"ret"} <= fields <= known


def _is_norm(part: Part) -> bool:
    return not part.points and part.brick in (BrickId.RmsNorm, BrickId.LayerNorm)


def _events(watched: Watched, part: Part) -> tuple[tuple[int, int, int, bool], ...]:
    """What a part leaves in the log: kind, layer, field, whether its last row is kept."""
    plan, kind = watched.plan, watched.kind
    if plan is None or kind == NO_EVENT:
        return ()
    ret = plan.fields.index("ret")
    if part.points:
        return tuple(
            (POINTS.index(point), layer, ret, point == "output") for point, layer in part.points
        )
    return ((kind, -1 if part.layer is None else part.layer, ret, kind == ATTENTION),)


def _where(field: Field) -> Any:
    return field.where if isinstance(field.where, float) else (field.where, field.axes)


def _value(field: Field, tensor: Tensor) -> Any:
    if isinstance(field.where, float):
        return field.where
    found = tensor.reach(field.where)
    if found is None:
        return None
    # Sequences whose caches lie apart have an axis of their own.
    value = found.array(field.axes)
    return found.array() if value is None and field.axes == _ROWS_OF_HEADS else value
