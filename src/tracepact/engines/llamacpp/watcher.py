"""The evaluation callback and who watches it: natively, or in Python where that core serves."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tracepact.core import native_core
from tracepact.engines.llamacpp.slots import PythonSlots, Slot
from tracepact.engines.llamacpp.tensors import Reader, Tensor

SIGNATURE: Final = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_bool, ctypes.c_void_p)
"""(tensor, whether it is asked for or shown, user data) -> whether it is wanted, or to go on."""


FIRST_SLOT: Final = -2
"""What `meet` says of a node that writes into slot 0 of the cache; -3 is slot 1, and so on."""

Seen = tuple[tuple[int, int, int], int, int, int, bool, list[tuple[int, int, int]]]
"""Conditions tested of bricks, MLT-01 and MLT-02; ns; nodes asked about and shown; whether nodes
were lost; what `PythonSlots.take_found` says of the cache."""


class Callback(Protocol):
    """What the engine calls for each node; asks for nothing until it is watched."""

    @property
    def address(self) -> int:
        """Of the function."""

    @property
    def user_data(self) -> int:
        """What the engine hands to it."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """What Python does about nodes.

    Attributes:
        meet: (address of a tensor) -> its rule, None where it is not wanted, or `FIRST_SLOT` and
            below; called for each node that was never seen after those before it.
        show: (address, rule, whether all that is asked of it holds natively).
        start, stop: (rule) and (rule, address), around the computing of a node that is wanted,
            where bricks are timed.
    """

    meet: Callable[[int], int | None]
    show: Callable[[int, int, bool], None]
    start: Callable[[int], None]
    stop: Callable[[int, int], None]


class Watcher(Protocol):
    """Sees every node of a context's graphs."""

    def _watch(
        self,
        plan: Any,
        fields: tuple[Any, ...],
        conditions: tuple[int, int, int],
        events: tuple[tuple[int, int, int, bool], ...],
        in_python: bool,
        first: int,
        less: int,
        turn: int,
        /,
    ) -> int:
        """Add what is done with a node, to the rule `first` or as a new one; its number.

        Where it is not its turn, the rule `less` serves instead.
        """

    def _slot(self, *numbers: int) -> int:
        """Add where the cache is written, a `Slot`; its number."""

    def _forget(self) -> None:
        """Look no further back in the cache."""

    def _plug(self, callback: Any, is_watched: bool, /) -> None:
        """Watch a callback, or no longer."""

    def _begin(self, log: Any, is_timed: bool, turn: int, /) -> None:
        """Start a pass; with a turn of -1 it is everybody's."""

    def _want(self, rule: int, /) -> None:
        """Show the nodes of a rule in this pass, whether they hold natively or not."""

    def _end(self, is_computed: bool, /) -> Seen:
        """End it; what was seen."""


def new_callback() -> Callback:
    """A callback of the core that serves."""
    native = native_core()
    return PythonCallback() if native is None else native.LlamaCallback()


def new_watcher(reader: Reader, callback: Callback, handlers: Handlers) -> Watcher:
    """A watcher of the same core as the callback."""
    if isinstance(callback, PythonCallback):
        return PythonWatcher(reader, handlers)
    from tracepact.core import _native as native  # noqa: PLC0415 - the callback is of it

    class NativeWatcher(native.LlamaWatcher):
        """One that goes to Python only for what does not hold, or was never seen."""

    watcher = NativeWatcher(reader.numbers())
    watcher._meet, watcher._show = handlers.meet, handlers.show
    watcher._start, watcher._stop = handlers.start, handlers.stop
    return watcher


class PythonCallback:
    """The Python twin of `_native.LlamaCallback`."""

    def __init__(self) -> None:
        self.watcher: PythonWatcher | None = None
        self._function = SIGNATURE(self._call)
        self.address = ctypes.cast(self._function, ctypes.c_void_p).value or 0
        self.user_data = 0

    def _call(self, tensor: int, ask: bool, user_data: int) -> bool:
        if self.watcher is None:
            return not ask
        try:
            return self.watcher.call(tensor, ask=ask)
        except BaseException:  # must not reach the engine
            self.watcher.is_lost = True
            return not ask


class PythonWatcher:
    """The Python twin of `_native.LlamaWatcher`: Python looks at every node that is wanted."""

    def __init__(self, reader: Reader, handlers: Handlers) -> None:
        self.is_lost = False
        self._reader = reader
        self._handlers = handlers
        self._nodes: dict[tuple[int, str, int], tuple[int, int]] = {}
        self._wanted: list[bool] = []
        self._is_active = self._is_timed = False
        self._due: set[int] = set()
        self._at = self._asked = self._shown = self._ns = 0
        self._rule: int | None = None
        self._slots = PythonSlots()
        self._written: list[tuple[int, int]] = []

    def _slot(self, *numbers: Any) -> int:
        return self._slots.add(Slot(*numbers))

    def _forget(self) -> None:
        self._slots.forget()

    def _watch(
        self,
        plan: Any,
        fields: tuple[Any, ...],
        conditions: tuple[int, int, int],
        events: tuple[tuple[int, int, int, bool], ...],
        in_python: bool,
        first: int,
        less: int,
        turn: int,
        /,
    ) -> int:
        self._wanted.append(in_python)
        return len(self._wanted) - 1

    def _plug(self, callback: PythonCallback, is_watched: bool, /) -> None:
        callback.watcher = self if is_watched else None

    def _want(self, rule: int, /) -> None:
        self._due.add(rule)

    def _begin(self, log: Any, is_timed: bool, turn: int, /) -> None:
        self._is_active, self._is_timed = True, is_timed
        self._due.clear()
        self._at = self._asked = self._shown = self._ns = 0
        self._rule, self.is_lost = None, False
        self._written.clear()

    def _end(self, is_computed: bool, /) -> Seen:
        self._is_active = False
        start_ns = time.perf_counter_ns()
        if is_computed:
            self._look_at_written()
            self._slots.look_back()
        if self.is_lost or not is_computed:
            self._slots.forget()
        found = self._slots.take_found()
        self._ns += time.perf_counter_ns() - start_ns
        return (0, 0, 0), self._ns, self._asked, self._shown, self.is_lost, found

    def _lose_written(self) -> None:
        """Nothing is left of the last graph's tensors; what these have written is not known."""
        if self._written:
            self._slots.forget()
        self._written.clear()

    def _look_at_written(self) -> None:
        for number, address in self._written:
            self._slots.look_at(number, Tensor(self._reader, address))
        self._written.clear()

    def call(self, address: int, *, ask: bool) -> bool:
        """As the engine calls it."""
        if not ask:
            self._look_at(address)
            return True
        self._rule = None
        if not self._is_active or self.is_lost:
            return False
        key = Tensor(self._reader, address).key
        found = self._nodes.get((self._at, *key))
        if found is None and (found := self._nodes.get((0, *key))) is not None:
            self._lose_written()
        if found is None:
            rule = self._handlers.meet(address)
            found = len(self._nodes) + 1, -1 if rule is None else rule
            self._nodes[(self._at, *key)] = found
        self._at, rule = found
        self._asked += 1
        if rule <= FIRST_SLOT:
            self._written.append((FIRST_SLOT - rule, address))
        if rule < 0 or not (self._wanted[rule] or rule in self._due or self._is_timed):
            return False
        if self._is_timed:
            self._handlers.start(rule)
        self._rule = rule
        return True

    def _look_at(self, address: int) -> None:
        rule, self._rule = self._rule, None
        if rule is None:
            return
        if self._is_timed:
            self._handlers.stop(rule, address)
        start_ns = time.perf_counter_ns()
        self._shown += 1
        self._look_at_written()
        self._handlers.show(address, rule, not self._wanted[rule])
        self._ns += time.perf_counter_ns() - start_ns
