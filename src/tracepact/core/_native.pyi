"""Types of the native core; each section belongs to one file in native/."""

from collections.abc import Callable
from typing import Any, Final

from tracepact.types import Array, FloatArray

# clock.c

clock: Final[str]

# measure_py.c

_Figures = tuple[int, int, int, int, float, float, float, float, float, float, int, int]

def measure(
    value: Any, wanted: int, /
) -> tuple[int, int, int, int, float, float, float, float, float, float, int, int, int] | None: ...
def row_reduce(function: str, a: Any, b: Any = None, /) -> FloatArray | None: ...
def isas() -> tuple[str, ...]: ...
def isa() -> str: ...
def set_isa(name: str, /) -> None: ...
def set_threads(threads: int, from_bytes: int = ..., /) -> None: ...

# largest.c

def largest(values: Array, k: int, /) -> list[int] | None: ...
def largest_share(values: Array, bounds: Array, /) -> float | None: ...

# compare.c

def compare(
    reference: Any, value: Any, /
) -> tuple[float, float, int, float, float, float, float] | None: ...
def compare_product(
    weight: Array, x: Array, value: Array, bias: Array | None, /
) -> tuple[float, float, int, float, float, float, float] | None: ...

# held.c

def held_is_clean(keys: Array, values: Array, layer: int, used: int, capacity: int, /) -> bool: ...

# written.c

def written_is_finite(tensors: list[Any], start: int, stop: int, /) -> bool: ...
def written_in(layers: list[Any], kind: type, tokens: int, /) -> tuple[int, int] | None: ...

class Writes:
    def begin(self, layers: list[Any], kind: type, tokens: int, /) -> None: ...
    def end(self) -> tuple[int, int] | None: ...

def piece_sums(
    keys: Any, values: Any, start: int, stop: int, positions: int, /
) -> list[int] | None: ...

# site.c, span.c, current.c, checked.c

class LayerState:
    checks: Final[int]
    @property
    def check_ns(self) -> int: ...
    def configure(self, is_off: bool, every_nth: int, /) -> None: ...

class Site:
    def check(self, /, **fields: Any) -> bool: ...
    def check_in(self, context: Any, /, **fields: Any) -> bool: ...
    def __call__(self, /, **fields: Any) -> Any: ...
    def _bind(
        self, state: LayerState, plan: Plan | None, conditions: int, copies: bool, /
    ) -> None: ...
    def _holds(self, fields: Any, /) -> bool: ...
    def _span(self, fields: dict[str, Any], /) -> Any: ...

_Claims = tuple[tuple[Callable[..., Any], tuple[int, ...]], ...]
Stage = tuple[Any, tuple[tuple[str, int], ...], _Claims, Any, tuple[int, ...]]

class Checked:
    def __init__(
        self,
        function: Callable[..., Any],
        parameters: tuple[tuple[str, int, bool, Any], ...],
        entry: Stage | None,
        leaving: Stage | None,
        /,
    ) -> None: ...
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any: ...

def current_span() -> Any: ...

# trace_log.c, probe.c

_Worst = tuple[float, int, int]

class TraceLog:
    def append(self, kind: int, layer: int, figures: _Figures, kept: Array | None, /) -> None: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> tuple[int, int, _Figures, Array | None]: ...
    def worst(self) -> tuple[int, _Worst, int, _Worst, _Worst]: ...
    def last_norm(self, kind: int, /) -> float | None: ...
    def arrays(self, kind: int, /) -> list[Array]: ...

class Probe:
    def run(
        self, brick: str, layer: int | None, kernel: Callable[..., Array], /, **inputs: Any
    ) -> Array: ...
    def residual(self, layer: int, point: str, value: Array, /) -> None: ...
    def _watch(
        self,
        brick: str | None,
        plan: Plan | None,
        conditions: tuple[int, int, int],
        kind: int,
        in_python: bool,
        has_more: bool,
        /,
    ) -> None: ...
    def _take_turns(self, brick: str, less: str, turns: int, /) -> None: ...
    def _begin(
        self,
        layer: LayerState | None,
        timer: BrickTimer | None,
        log: TraceLog | None,
        size: int,
        sampled_brick: str | None,
        sampled_layer: int | None,
        turn: int,
        /,
    ) -> bool: ...
    def _later(self) -> list[tuple[str, int | None, dict[str, Any], Any]]: ...
    def _end(self) -> tuple[tuple[int, int, int], int] | None: ...

# hook.c

class Hook:
    def __init__(
        self,
        probe: Probe,
        brick: str | None,
        layer: int | None,
        names: tuple[str, ...],
        fixed: tuple[Any, ...],
        otherwise: Callable[..., None],
        part: int,
        /,
    ) -> None: ...
    def __call__(self, module: Any, arguments: Any, output: Any, /) -> None: ...
    def join(self, before: int | None, /) -> None: ...
    def follow(self, writes: Writes, /) -> None: ...

# module_call.c

class ModuleCall:
    hooks: tuple[Callable[..., object], ...]
    def __init__(
        self,
        module: Any,
        call: Callable[..., Any],
        before: tuple[dict[Any, Any], ...],
        give_up: Callable[[], object],
        /,
    ) -> None: ...
    def __call__(self, *arguments: Any, **options: Any) -> Any: ...
    def shorten(
        self,
        of_module: tuple[str, ...],
        of_all: tuple[dict[Any, Any], ...],
        is_tracing: Callable[[], object],
        /,
    ) -> None: ...

# pass_end.c

class PassEnd:
    def __init__(
        self,
        layer: LayerState,
        head: str,
        top_k: int,
        plans: tuple[Plan | None, Plan | None, Plan | None],
        conditions: tuple[int, int, int],
        threshold: float,
        /,
    ) -> None: ...
    def look(
        self,
        later: list[tuple[str, int | None, dict[str, Any], Any]],
        sample: tuple[Array, int] | None,
        cache: tuple[Array | None, Array | None, int, int, int, Array, Array] | None,
        /,
    ) -> (
        tuple[
            tuple[Array, tuple[int, ...], float, float, tuple[float, ...]] | None,
            tuple[float, float, int, float, float, float, float] | None,
        ]
        | None
    ): ...
    def holds(
        self,
        logits: tuple[Any, ...] | None,
        cache: tuple[Any, ...] | None,
        zeros: Array,
        /,
    ) -> tuple[Any, tuple[int, ...], float, float, tuple[float, ...]] | bool | None: ...

# timer_type.c

class BrickTimer:
    def __init__(self, clock: Callable[[], int] | None = None, /) -> None: ...
    def start(self, brick: str, layer: int | None = None) -> None: ...
    def stop(
        self,
        brick: str,
        layer: int | None = None,
        *,
        cost: object = None,
        tokens: int = 1,
        size: int = 0,
    ) -> int: ...
    def now(self) -> int: ...
    def exclude(self, elapsed_ns: int) -> None: ...
    def exclude_since(self, moment: int) -> int: ...
    def begin_forward(self) -> None: ...
    def end_forward(self) -> None: ...
    def _counted(
        self, phase: int, /
    ) -> list[tuple[tuple[int | None, str], tuple[int, int, int, int, float, bytes]]]: ...
    def _counted_passes(self, phase: int, /) -> tuple[int, int]: ...

# plan.c

class Plan:
    def __init__(
        self,
        fields: tuple[str, ...],
        steps: tuple[tuple[Any, ...], ...],
        intervals: tuple[tuple[int, float, float, int], ...],
        tests: tuple[tuple[tuple[Any, ...], ...], tuple[tuple[int, int], ...]],
        scalars: tuple[tuple[float, float], ...] | None,
        tolerances: tuple[float, tuple[tuple[str, float, float], ...]],
    ) -> None: ...
    @property
    def fields(self) -> tuple[str, ...]: ...
    def run(self, /, *values: Any) -> bool | None: ...
    def value(self, *values: Any) -> float | None: ...
    def statistics(
        self, /, *values: Any
    ) -> tuple[tuple[int, int, int, int, float, float, float, int] | None, ...] | None: ...

# llama_watcher.c

class LlamaCallback:
    @property
    def address(self) -> int: ...
    @property
    def user_data(self) -> int: ...

class LlamaWatcher:
    _meet: Callable[[int], int | None]
    _show: Callable[[int, int, bool], None]
    _start: Callable[[int], None]
    _stop: Callable[[int, int], None]
    def __init__(self, layout: tuple[int, ...], /) -> None: ...
    def _watch(
        self,
        plan: Plan | None,
        fields: tuple[Any, ...],
        conditions: tuple[int, int, int],
        events: tuple[tuple[int, int, int, bool], ...],
        in_python: bool,
        first: int,
        less: int,
        turn: int,
        /,
    ) -> int: ...
    def _slot(self, *numbers: int) -> int: ...
    def _forget(self) -> None: ...
    def _plug(self, callback: LlamaCallback, is_watched: bool, /) -> None: ...
    def _want(self, rule: int, /) -> None: ...
    def _begin(self, log: TraceLog | None, is_timed: bool, turn: int, /) -> None: ...
    def _end(
        self, is_computed: bool, /
    ) -> tuple[tuple[int, int, int], int, int, int, bool, list[tuple[int, int, int]]]: ...
