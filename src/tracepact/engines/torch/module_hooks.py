"""What is called after a module has run: PyTorch's own hooks, or a quicker way to the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import torch
from torch import nn
from torch.nn.modules import module as torch_module

from tracepact.core import native_core

if TYPE_CHECKING:
    from tracepact.core import _native

Hook: TypeAlias = Callable[..., object]
"""Called with the module, its positional arguments and its result."""

_SLOT: Final = "_compiled_call_impl"
"""Attribute in which `Module.compile` keeps what is called for a module; copies leave it out."""

_OF_MODULE: Final = (
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks",
    "_forward_pre_hooks",
)
_OF_ALL: Final = (
    "_global_backward_pre_hooks",
    "_global_backward_hooks",
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
)
_ASKED: Final = ("torch", "_C", "_get_tracing_state", "_slow_forward", "forward")
"""What an ordinary call asks first; then the dicts of hooks, and if all are empty, `forward`."""


class Handle(NamedTuple):
    """A hook that is on."""

    hooks: ModuleHooks
    hook: Hook

    def remove(self) -> None:
        """Take it off."""
        self.hooks.discard(self.hook)


class ModuleHooks:
    """Hooks after one module.

    A module with a hook is called by a way that costs microseconds, once for each of some 200 in a
    token. So with the native core what is called stands where a compiled module's call would; it
    makes the ordinary call, others' hooks included, and then ours see the result. Whether there are
    any hooks is found in C, sooner than PyTorch does. Its own hooks serve where that is not to be
    had, and from when somebody registers a hook that may change what the module is given.

    Args:
        module: Any.
        is_quick: False for PyTorch's own hooks in any case.
        sees_arguments: Whether the hooks look at what the module was given.
    """

    def __init__(self, module: nn.Module, *, is_quick: bool, sees_arguments: bool) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._always: tuple[Hook, ...] = ()
        self._in_turn: tuple[Hook, ...] = ()
        self._is_turn = False
        self._shown: tuple[Hook, ...] = ()
        self._handles: dict[Hook, Any] = {}
        self._call: _native.ModuleCall | None = None
        self._stands_in: Any = None
        native = native_core()
        if is_quick and native is not None and _is_ordinary(module):
            before = module._forward_pre_hooks, torch_module._global_forward_pre_hooks
            self._call = native.ModuleCall(
                module, module._call_impl, before if sees_arguments else (), self._give_up
            )
            if _is_short(type(module)):
                everywhere = tuple(getattr(torch_module, name) for name in _OF_ALL)
                self._call.shorten(_OF_MODULE, everywhere, torch._C._get_tracing_state)
            # Where a class has its own `__call__`, `torch.compile` follows that into the slot.
            is_traced = type(module).__call__ is not nn.Module.__call__
            self._stands_in = _outside_of_graphs(self._call, module) if is_traced else self._call

    def add(self, hook: Hook, *, in_turn: bool = False) -> Handle:
        """Call it until its handle is removed; one that is `in_turn`, while it is its turn."""
        with self._lock:
            if in_turn:
                self._in_turn += (hook,)
            else:
                self._always += (hook,)
            self._put()
        return Handle(self, hook)

    def discard(self, hook: Hook) -> None:
        """Call it no more."""
        with self._lock:
            self._always = tuple(each for each in self._always if each is not hook)
            self._in_turn = tuple(each for each in self._in_turn if each is not hook)
            self._put()

    def take_turn(self, *, is_turn: bool) -> None:
        """From now on call, or do not call, the hooks that are in turn."""
        with self._lock:
            self._is_turn = is_turn
            self._put()

    def _put(self) -> None:
        """See to it that what is wanted is called, and nothing else."""
        wanted = self._in_turn if self._is_turn else ()
        if self._always:
            wanted = self._always + wanted
        if self._call is None:
            for hook in [each for each in self._handles if each not in wanted]:
                self._handles.pop(hook).remove()
            for hook in wanted:
                if hook not in self._handles:
                    self._handles[hook] = self._module.register_forward_hook(hook)
            return
        if not wanted:  # they stay with the call, since they may come back with every token
            self._take_off()
            return
        if wanted is not self._shown:
            self._call.hooks = self._shown = wanted
        self._module.__dict__[_SLOT] = self._stands_in

    def _take_off(self) -> None:
        if self._module.__dict__.get(_SLOT) is self._stands_in:  # else it was compiled meanwhile
            del self._module.__dict__[_SLOT]

    def _give_up(self) -> None:
        """Somebody may change what the module is given: use PyTorch's hooks, which run later."""
        with self._lock:
            call, self._call = self._call, None
            if call is not None:
                self._take_off()
                call.hooks = ()
                self._put()


def _is_short(kind: type[nn.Module]) -> bool:
    """Whether such a module is called by the rule that we know."""
    is_ordinary = kind._call_impl is nn.Module._call_impl and _is_known()
    return is_ordinary and kind.__getattribute__ is object.__getattribute__


@cache
def _is_known() -> bool:
    """Whether this PyTorch asks what we ask before it calls `forward`."""
    code = getattr(nn.Module._call_impl, "__code__", None)
    asked = (*_ASKED, *_OF_MODULE, *_OF_ALL)
    return code is not None and code.co_names[: len(asked)] == asked


def is_compiled(model: nn.Module) -> bool:
    """Whether what runs inside the model is a graph, which has no hooks."""
    return hasattr(model, "_orig_mod") or model.__dict__.get(_SLOT) is not None


def add_around(model: nn.Module, before: Hook, after: Hook) -> list[Any]:
    """Call `before` and `after` around a whole model; what it returns ends that.

    Both get what the model is given, by position and by name, and `after` its result too. Neither
    is made part of a graph: around a model that was compiled in place they are called outside of
    it, and where it is compiled later, not at all.
    """
    if model.__dict__.get(_SLOT) is not None:
        return [_Around(model, before, after)]
    is_compiling = torch.compiler.is_compiling

    def first(model: nn.Module, arguments: Any, options: Any) -> None:
        if not is_compiling():
            before(model, arguments, options)

    def last(model: nn.Module, arguments: Any, options: Any, output: Any) -> None:
        if not is_compiling():
            after(model, arguments, options, output)

    return [
        model.register_forward_pre_hook(first, with_kwargs=True, prepend=True),
        model.register_forward_hook(last, with_kwargs=True),
    ]


class _Around:
    """What is called for a model that was compiled in place, until it is removed."""

    def __init__(self, model: nn.Module, before: Hook, after: Hook) -> None:
        self._model = model
        self._compiled = compiled = model.__dict__[_SLOT]

        def call(*arguments: Any, **options: Any) -> Any:
            before(model, arguments, options)
            output = compiled(*arguments, **options)
            after(model, arguments, options, output)
            return output

        self._call = model.__dict__[_SLOT] = call

    def remove(self) -> None:
        """Leave the model as it was."""
        if self._model.__dict__.get(_SLOT) is self._call:  # else it was compiled anew
            self._model.__dict__[_SLOT] = self._compiled


def _outside_of_graphs(call: Callable[..., Any], module: nn.Module) -> Callable[..., Any]:
    """The same call, but the ordinary one where `torch.compile` follows it into its graph."""
    ordinary: Callable[..., Any] = module._call_impl

    def stands_in(*arguments: Any, **options: Any) -> Any:
        if torch.compiler.is_compiling():
            return ordinary(*arguments, **options)
        return call(*arguments, **options)

    return stands_in


def _is_ordinary(module: nn.Module) -> bool:
    """Whether a module is called as most are, and is watched by nobody in this way."""
    if isinstance(module, torch.jit.ScriptModule) or not _is_asked():
        return False
    return module.__dict__.get(_SLOT) is None


@cache
def _is_asked() -> bool:
    """Whether this PyTorch asks the attribute when a module is called."""
    module, asked = nn.Identity(), object()
    module.__dict__[_SLOT] = lambda *arguments, **options: asked
    try:
        return module(1) is asked
    except Exception:  # another PyTorch, which may do anything with it
        return False
