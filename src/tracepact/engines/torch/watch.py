"""Watches a PyTorch model by hooks on its modules, with nothing changed in it."""

from __future__ import annotations

import functools
import itertools
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from tracepact.engines.torch.boundaries import Boundaries, Opening
from tracepact.engines.torch.bricks import PRODUCTS, known_fields
from tracepact.engines.torch.costs import module_cost
from tracepact.engines.torch.deferred import NOTE as DEVICE_NOTE
from tracepact.engines.torch.deferred import DeferredProbe
from tracepact.engines.torch.device_statistics import DeviceStatistics, launcher_of
from tracepact.engines.torch.forward import ForwardPass
from tracepact.engines.torch.fused_attention import NOTE, FusedAttentionTrace
from tracepact.engines.torch.kv_cache import CacheTrace
from tracepact.engines.torch.logits import LogitTrace
from tracepact.engines.torch.mapping import ATTENTION, LAYER, MLP, MappedModule, map_model
from tracepact.engines.torch.module_hooks import Hook, ModuleHooks, add_around, is_compiled
from tracepact.engines.torch.probe import new_probe
from tracepact.engines.torch.quantised import ProductTrace
from tracepact.engines.torch.structure import device_of, text_config, unwrapped
from tracepact.errors import ConfigError, ContractViolation
from tracepact.model import ModelTracer
from tracepact.model.pass_end import PassEnd
from tracepact.profiling import BrickProfiler
from tracepact.types import BrickId

_NOT_BRICKS: Final = frozenset({LAYER, ATTENTION, MLP})
COMPARED_EVERY: Final = 8
"""Decoded tokens of which one has a product compared, where there is no reference."""

_watched: Final[weakref.WeakSet[nn.Module]] = weakref.WeakSet()


class TorchWatch:
    """Hooks on one model.

    Args:
        model: Any module; all five traces of a causal language model of transformers, activations
            and bricks of any other.
        tracer: Takes the traces.
        profiler: Takes the times of bricks; each module then has two hooks.
        reference: The same model in a finer type, for MLT-04.
        deferred: Measures tensors, for who wants a model on the CPU to be looked at as one on an
            accelerator is.

    Raises:
        ConfigError: The reference is another model.

    `install` and `remove` are called once each. Several watches may be on one process, and any
    number of threads may run the model.
    """

    def __init__(
        self,
        model: nn.Module,
        tracer: ModelTracer,
        profiler: BrickProfiler | None = None,
        reference: nn.Module | None = None,
        *,
        deferred: DeviceStatistics | None = None,
    ) -> None:
        self.map = map_model(model)
        self._model = model
        self._tracer = tracer
        self._profiler = profiler
        device = device_of(model)
        self._deferred: DeferredProbe | None = None
        if device.type != "cpu" or deferred is not None:
            statistics = deferred or DeviceStatistics(device, launcher_of(device))
            self._deferred = DeferredProbe(tracer, statistics, len(self.map.layers))
            tracer.summary.attention_note = DEVICE_NOTE
        self._probe = self._deferred or new_probe(tracer)
        self._pass = ForwardPass()
        self._handles: list[Any] = []
        self._of_pass: list[Any] = []
        self._hooks: dict[nn.Module, ModuleHooks] = {}
        self._boundaries = Boundaries(len(self.map.layers))
        self._products: dict[int, list[ModuleHooks]] = {}
        self._turns: list[list[ModuleHooks]] = [[]]  # of each layer's products, then of all
        self._in_turn = self._turns[0]
        self._passes = itertools.count()
        self._lock = threading.Lock()
        config = text_config(unwrapped(model))
        limit = getattr(config, "max_position_embeddings", None)
        self._cache = CacheTrace(limit if isinstance(limit, int) else None)
        wants_logits = self.map.lm_head is not None and tracer.config.logits
        self._logits = LogitTrace(self.map) if wants_logits else None
        is_eager = getattr(config, "_attn_implementation", "eager") in ("eager", None)
        self._pass_end = PassEnd(tracer)
        self._fused: FusedAttentionTrace | None = None
        if tracer.config.attention and not is_eager:
            layers = [layer for layer in self.map.layers if layer.attention is not None]
            self._fused = FusedAttentionTrace(layers)
            tracer.summary.attention_note = NOTE
        self._compared = ProductTrace(self.map, reference) if tracer.config.quantisation else None
        # Without a reference only a wrong kernel is found, which is wrong in every pass.
        self._compared_every = COMPARED_EVERY if reference is None else 1

    def install(self) -> None:
        """Put the hooks on.

        Raises:
            ConfigError: The model is watched already.
        """
        model = self._model
        if model in _watched:
            raise ConfigError("this model is traced already; end that `with` block first")
        _watched.add(model)
        try:
            is_graph = is_compiled(model)
            self._handles = add_around(model, self._begin, self._end)
            if not is_graph:
                for mapped in self.map.modules:
                    self._watch(mapped)
                self._turns = [*self._products.values(), sum(self._products.values(), [])]
        except BaseException:
            self.remove()
            raise

    def finish(self) -> None:
        """Look at passes that wait for the device.

        Raises:
            ContractViolation: Something does not hold and the policy is `raise`.
        """
        if self._deferred is not None:
            self._deferred.settle(self._logits, keep=0)

    def remove(self) -> None:
        """Take them off again."""
        with self._lock:
            for handle in [*self._handles, *self._of_pass]:
                handle.remove()
            self._handles, self._of_pass, self._in_turn = [], [], []
            self._boundaries.remove()
        _watched.discard(self._model)
        self._probe.end()

    # -- a pass ------------------------------------------------------------------------------

    def _begin(
        self, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        forward, tracer = self._pass, self._tracer
        forward.is_on = False
        try:
            forward.begin(arguments, options)
            tracer.begin_forward(forward.position, forward.sequences)
            forward.is_on = tracer.is_active
            if forward.is_on:
                self._cache.before(tracer, forward)
                self._take_turns(forward.is_decoding)
                # Dropout makes rows that rightly do not sum to 1; Python knows, C does not ask.
                self._probe.begin(is_decoding=forward.is_decoding and not module.training)
        except ContractViolation:
            forward.is_on = False
            raise
        except Exception as error:
            forward.is_on = False
            tracer.layer.fault("the start of a pass", error)
        if self._profiler is not None:
            self._time(lambda p: p.begin_forward())

    def _end(
        self,
        module: nn.Module,
        arguments: tuple[Any, ...],
        options: dict[str, Any],
        output: Any,
    ) -> None:
        if self._profiler is not None:
            self._time(lambda p: p.end_forward())
        forward, tracer = self._pass, self._tracer
        if not forward.is_on:
            return
        forward.is_on = False
        cache = getattr(output, "past_key_values", None)
        cache = forward.cache if cache is None else cache
        try:
            self._probe.end()
            forward.hidden = self._probe.take_head() or forward.hidden
            if self._deferred is not None:
                self._deferred.finish(forward, self._logits, self._cache, cache)
            else:
                self._look_at_end(forward, cache)
        except Exception as error:
            tracer.layer.fault("the end of a pass", error)
        forward.clear()
        if self._deferred is not None:
            self._deferred.settle(self._logits, keep=1)
        else:
            tracer.end_forward()

    def _look_at_end(self, forward: ForwardPass, cache: Any) -> None:
        """MLT-03 and MLT-05; where they hold for one token, at once."""
        tracer, logits = self._tracer, self._logits
        found = self._cache.after(tracer, forward, cache)
        if forward.batch == 1 and forward.is_decoding and (found is None or found.wrong is None):
            top = None if logits is None else logits.alone(forward)
            is_whole = logits is None or top is not None
            if is_whole and (top or found) and self._pass_end.holds(top, found):
                return
        if logits is not None:
            for newest in logits.newest(forward):
                logits.record(tracer, *newest)
        if found is not None:
            self._cache.record(tracer, found)

    def _take_turns(self, is_decoding: bool) -> None:
        """Watch the products of every layer of a prompt, and of one layer of a decoded token.

        One product is compared (MLT-04): in prompts, and in decoded tokens as often as is said.
        """
        turn, layers = next(self._passes), len(self._products)
        with self._lock:  # another thread's pass may begin now; it sees these hooks or its own
            for handle in self._of_pass:
                handle.remove()
            self._of_pass = []
            self._boundaries.rest(may_rest=is_decoding)
            chosen = self._turns[turn % layers if is_decoding and layers else -1]
            if chosen is not self._in_turn:
                for hooks in self._in_turn:
                    hooks.take_turn(is_turn=False)
                for hooks in chosen:
                    hooks.take_turn(is_turn=True)
                self._in_turn = chosen
            if self._deferred is not None:
                return  # these compare values, and would wait for them
            if self._fused is not None:
                self._of_pass += self._fused.register(turn, self._tracer, self._pass)
            every = self._compared_every
            if self._compared and (turn % every == 0 or not is_decoding):
                module, hook = self._compared.hook(turn // every, self._tracer, self._pass)
                self._of_pass.append(self._hooks_of(module).add(hook))

    # -- modules -----------------------------------------------------------------------------

    def _watch(self, mapped: MappedModule) -> None:
        module, layer, config = mapped.module, mapped.layer, self._tracer.config
        is_timed = self._profiler is not None and mapped.brick not in _NOT_BRICKS
        if is_timed:
            self._handles += [
                module.register_forward_pre_hook(self._start(mapped)),
                module.register_forward_hook(self._stop(mapped)),
            ]
        if mapped.brick == LAYER and layer is not None:
            if layer == 0:  # where the others begin, the one before has ended
                self._boundaries.watch_first(module, self._layer_input(layer))
            output = self._native(mapped, self._layer_output(layer), None)
            self._add(module, output, sees_arguments=False, in_turn=True)
            self._boundaries.watch_end(self._hooks[module])
        elif mapped.brick == ATTENTION:
            if config.attention and self._fused is None and not hasattr(module, "sinks"):
                rows = self._attention_rows(mapped)
                rows = self._native(mapped, rows, BrickId.AttentionSoftmax, part=1)
                self._add(module, rows, sees_arguments=False)
            if config.activations:
                part = self._native(mapped, self._part(mapped), ATTENTION)
                if config.kv_cache:
                    self._cache.follow(part)
                self._add(module, part, sees_arguments=False)
        elif mapped.brick == MLP:
            if config.activations:
                part = self._native(mapped, self._part(mapped), MLP)
                self._add(module, part, sees_arguments=False)
        else:
            self._watch_brick(mapped)

    def _watch_brick(self, mapped: MappedModule) -> None:
        module, brick, config = mapped.module, mapped.brick, self._tracer.config
        fields = known_fields(mapped) if config.bricks else None
        if brick == BrickId.LmHead:
            if fields is not None or config.logits:
                hook = self._head(mapped, fields)
                if fields is not None or not config.bricks:  # else its plan has the contract
                    hook = self._native(mapped, hook, brick, ("x",), fields)
                self._add(module, hook)
        elif fields is None:
            if config.activations and mapped.norm is not None:
                known = None if config.bricks else brick  # natively its plan has the contract
                hook = self._result(mapped)
                self._add(module, hook if known is None else self._native(mapped, hook, known))
        elif brick == BrickId.Embedding:
            hook = self._brick(mapped, "tokens", fields)
            self._add(module, self._native(mapped, hook, brick, ("tokens",), fields))
        else:
            opening = Opening() if mapped.norm is not None else None
            python = self._brick(mapped, "x", fields, opening)
            hook = self._native(mapped, python, brick, ("x",), fields)
            if opening is not None and hook is not python:
                opening.hook = hook
            if brick in PRODUCTS and mapped.layer is not None:
                self._add(module, hook, in_turn=True)
                self._products.setdefault(mapped.layer, []).append(self._hooks[module])
            else:
                self._add(module, hook)

    def _add(
        self, module: nn.Module, hook: Hook, *, sees_arguments: bool = True, in_turn: bool = False
    ) -> None:
        hooks = self._hooks_of(module, sees_arguments=sees_arguments)
        self._handles.append(hooks.add(hook, in_turn=in_turn))

    def _hooks_of(self, module: nn.Module, *, sees_arguments: bool = True) -> ModuleHooks:
        found = self._hooks.get(module)
        if found is None:
            # What is timed has hooks that run before it, which are to be had in one way only.
            is_quick = self._probe.hook is not None and self._profiler is None
            found = ModuleHooks(module, is_quick=is_quick, sees_arguments=sees_arguments)
            self._hooks[module] = found
        return found

    def _native(
        self,
        mapped: MappedModule,
        hook: Hook,
        brick: str | None,
        names: tuple[str, ...] = (),
        fields: dict[str, Any] | None = None,
        part: int = 0,
    ) -> Hook:
        """The same hook without Python for what holds, where that serves and nothing is timed."""
        make = self._probe.hook
        if make is None or self._profiler is not None:
            return hook
        fields = fields or {}
        return make(brick, mapped.layer, (*names, *fields), tuple(fields.values()), hook, part)

    def _layer_input(self, layer: int) -> Hook:
        forward, residual = self._pass, self._probe.residual

        def hook(module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
            if forward.is_on:
                value = arguments[0] if arguments else options.get("hidden_states")
                if isinstance(value, torch.Tensor):
                    forward.start = value
                    residual(layer, "input", forward.rows(value))

        return self._safe(hook)

    def _layer_output(self, layer: int) -> Hook:
        forward, residual = self._pass, self._probe.residual

        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            if forward.is_on:
                forward.stream = _first(output)
                residual(layer, "output", forward.rows(forward.stream))

        return self._safe(hook)

    def _brick(
        self,
        mapped: MappedModule,
        name: str,
        fields: dict[str, Any],
        opening: Opening | None = None,
    ) -> Hook:
        forward, run, residual = self._pass, self._probe.run, self._probe.residual
        brick, layer, boundaries = mapped.brick, mapped.layer, self._boundaries

        def hook(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            if forward.is_on and arguments:
                x, ret = forward.rows(arguments[0]), forward.rows(output)
                is_end = arguments[0] is forward.stream
                is_start = layer == 0 and arguments[0] is forward.start
                before, after = None, layer if is_end else None
                if is_end or is_start:
                    forward.stream = forward.start = None
                if opening is not None and (is_end or is_start):
                    boundaries.saw(layer, opening)
                elif opening is not None and opening.joins is not None:
                    before, after = opening.joins
                if before is not None:
                    residual(before, "output", x)
                if after is not None:
                    residual(after, "input", x)
                run(brick, layer, lambda **_: ret, **{name: x}, **fields)

        return self._safe(hook)

    def _head(self, mapped: MappedModule, fields: dict[str, Any] | None) -> Hook:
        forward, run, brick = self._pass, self._probe.run, mapped.brick

        def hook(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            if forward.is_on and arguments:
                x = arguments[0]
                forward.hidden = x, output
                if fields is not None:
                    is_whole = x.dim() < 3 or x.shape[1] == forward.tokens
                    x, ret = (forward.rows(x), forward.rows(output)) if is_whole else (x, output)
                    run(brick, None, lambda **_: ret, x=x, **fields)

        return self._safe(hook)

    def _result(self, mapped: MappedModule) -> Hook:
        forward, layer, brick = self._pass, mapped.layer, mapped.brick
        activation = self._probe.activation

        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            if forward.is_on:
                activation(layer, "post-norm", forward.rows(output), brick)

        return self._safe(hook)

    def _part(self, mapped: MappedModule) -> Hook:
        """The result of the attention or of the feed-forward part of a layer."""
        forward, run, layer, brick = self._pass, self._probe.run, mapped.layer, mapped.brick

        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            if forward.is_on:
                ret = forward.rows(_first(output))
                run(brick, layer, lambda **_: ret)

        return self._safe(hook)

    def _attention_rows(self, mapped: MappedModule) -> Hook:
        forward, run, layer = self._pass, self._probe.run, mapped.layer

        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            weights = output[1] if isinstance(output, tuple) and len(output) > 1 else None
            if forward.is_on and isinstance(weights, torch.Tensor) and not module.training:
                rows = _by_head(weights, forward.counted)
                run(BrickId.AttentionSoftmax, layer, lambda **_: rows)

        return self._safe(hook)

    # -- times -------------------------------------------------------------------------------

    def _time(self, call: Callable[[BrickProfiler], object]) -> None:
        if self._profiler is not None:
            try:
                call(self._profiler)
            except Exception as error:
                self._tracer.layer.fault("the profiler", error)

    def _start(self, mapped: MappedModule) -> Hook:
        brick, layer = mapped.brick, mapped.layer
        return lambda module, arguments: self._time(lambda p: p.start(brick, layer))

    def _stop(self, mapped: MappedModule) -> Hook:
        forward, brick, layer = self._pass, mapped.brick, mapped.layer
        of = functools.partial(module_cost, mapped)

        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            tokens = max(1, forward.tokens)  # of each sequence, so that a batch decodes too
            cost = functools.partial(of, arguments, output)
            self._time(lambda p: p.exclude_since(p.stop(brick, layer, cost=cost, tokens=tokens)))

        return hook

    def _safe(self, hook: Hook) -> Hook:
        """A fault of ours is counted and never reaches the model."""
        tracer, profiler = self._tracer, self._profiler

        def safe(*arguments: Any) -> None:
            if torch.compiler.is_compiling():  # there are no values yet
                return
            try:
                hook(*arguments)
            except Exception as error:
                tracer.layer.fault("a hook", error)

        if profiler is None:
            return safe

        def excluded(*arguments: Any) -> None:
            if torch.compiler.is_compiling():
                return
            start_ns = time.perf_counter_ns()
            safe(*arguments)
            elapsed_ns = time.perf_counter_ns() - start_ns
            tracer.tracing_ns += elapsed_ns
            profiler.exclude(elapsed_ns)

        return excluded


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def _by_head(weights: torch.Tensor, counted: torch.Tensor | None) -> torch.Tensor:
    """Attention rows that count, [heads, rows, keys], of weights [batch, heads, rows, keys]."""
    if counted is not None:
        return weights.transpose(0, 1)[:, counted]
    if weights.shape[0] == 1:
        return weights[0]
    return weights.transpose(0, 1).flatten(1, 2)
