"""Where one layer ends and the next begins, seen at the norm that comes first in a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from torch import nn

from tracepact.engines.torch.module_hooks import Hook, ModuleHooks


class Opening:
    """A norm that may be the first in its layer, or the one after the stack.

    Attributes:
        hook: Its native one; None where Python serves, and then nothing may rest.
        joins: The layer whose result is what it is given and the one that begins with it, None
            where there is none; None until that is known.
    """

    def __init__(self) -> None:
        self.hook: Any = None
        self.joins: tuple[int | None, int | None] | None = None


class Boundaries:
    """Hooks at the ends of layers, which rest once they are known to tell nothing new.

    A model whose layers begin with a norm hands the result of a layer to the first norm of the
    next, and that of the last one to the norm after the stack. Where a prompt has shown this for
    every layer, the norms' hooks see these results in decoded tokens, and the layers need none.

    Args:
        layers: How many the stack has.
    """

    def __init__(self, layers: int) -> None:
        self._layers: Final = layers
        self._seen: dict[int, Opening] = {}
        self._ends: list[ModuleHooks] = []
        self._first: Callable[[], Any] | None = None
        self._handle: Any = None
        self._is_known = self._rests = False

    def watch_first(self, module: nn.Module, hook: Hook) -> None:
        """Look at what the first layer is given."""
        self._first = lambda: module.register_forward_pre_hook(hook, with_kwargs=True)
        self._handle = self._first()

    def watch_end(self, hooks: ModuleHooks) -> None:
        """Look at what a layer gives out, with its hooks that are in turn."""
        hooks.take_turn(is_turn=True)
        self._ends.append(hooks)

    def saw(self, layer: int | None, opening: Opening) -> None:
        """A norm was given just what the layer before gave out; None is the norm after the stack.

        Of the first layer, what the layer itself was given.
        """
        if self._is_known or opening.hook is None:
            return
        self._seen[self._layers if layer is None else layer] = opening
        if len(self._seen) <= self._layers:
            return
        self._is_known = True
        for index, each in self._seen.items():
            each.joins = index - 1 if index else None, index if index < self._layers else None
            each.hook.join(each.joins[0])

    def rest(self, *, may_rest: bool) -> None:
        """Take the hooks off in a pass that may go without them, and put them on in any other."""
        rests = may_rest and self._is_known
        if rests == self._rests:
            return
        self._rests = rests
        for hooks in self._ends:
            hooks.take_turn(is_turn=not rests)
        if rests:
            self.remove()
        elif self._first is not None:
            self._handle = self._first()

    def remove(self) -> None:
        """Look no more at what the first layer is given."""
        if self._handle is not None:
            self._handle.remove()
        self._handle = None
