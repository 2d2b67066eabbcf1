"""Contexts of llama.cpp that can be watched: a callback has to be there when one is made."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Final

from tracepact.engines.llamacpp.library import Library, installed, library, library_of
from tracepact.engines.llamacpp.watcher import Callback, new_callback
from tracepact.errors import ConfigError

_LOADERS: Final = ("llama_model_load_from_file", "llama_load_model_from_file")
_MAKERS: Final = ("llama_init_from_model", "llama_new_context_with_model")


@dataclass(frozen=True, slots=True)
class Context:
    """A raw context, as `llama_init_from_model` gives it, to hand to `tp.trace`.

    Attributes:
        pointer: Of the context.
        package: Whose it is: `llama_cpp` or `ik_llama_cpp`; the installed one by default.
        model_file: The GGUF file of its model, where that was not loaded inside `attachable`.
    """

    pointer: Any
    package: str | None = None
    model_file: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Attached:
    """A context with a callback of ours.

    Attributes:
        library: Whose context.
        pointer: Address of the context.
        callback: Called for each node.
        model_file: Path of its model, where that is known.
        moves_cells: Whether the engine may put cells of the cache elsewhere by itself.
    """

    library: Library
    pointer: int
    callback: Callback
    model_file: str | None
    moves_cells: bool = False


_attached: dict[tuple[str, int], Attached] = {}
_model_files: dict[tuple[str, int], tuple[str, object]] = {}
_patching = threading.RLock()


@contextmanager
def attachable(
    package: str | None = None, *, before: Callable[[Callback], int] | None = None
) -> Iterator[None]:
    """Contexts that are made inside the block can be traced later, with `tp.trace`.

    While nobody traces one, its callback asks for no node. Natively that costs nothing that can be
    measured; where the Python core serves, a call into Python for each of a graph's nodes.

    Args:
        package: `llama_cpp` or `ik_llama_cpp`; the installed one by default.
        before: Makes the address of a function that acts first and then calls the callback with
            what it was called with; for planting faults.

    Raises:
        MissingExtraError: Neither is installed.
    """
    of = installed() if package is None else library(package)
    # Held all the while, so that blocks of several threads end in the order in which they began.
    with _patching, ExitStack() as stack:
        for name in _LOADERS:
            stack.enter_context(patched(of.api, name, _loader(of)))
        for name in _MAKERS:
            stack.enter_context(patched(of.api, name, _maker(of, before)))
        yield


def Llama(*arguments: Any, **options: Any) -> Any:  # noqa: N802 - as the class that it makes
    """The installed package's `Llama` (or `IkLlama`), made so that `tp.trace` can watch it.

    Takes what that class takes.

    Raises:
        MissingExtraError: Neither `llama-cpp-python` nor `ik-llama-cpp-python` is installed.
    """
    with attachable():
        return installed().llama(*arguments, **options)


def attached_to(model: Any) -> Attached:
    """What was attached to a high-level model or a raw context.

    Raises:
        ConfigError: Nothing was.
    """
    if isinstance(model, Context):
        of = installed() if model.package is None else library(model.package)
        pointer, model_file = address_of(model.pointer), model.model_file
    else:
        of, pointer, model_file = library_of(model), address_of(model.ctx), None
    found = _attached.get((of.package, pointer))
    if found is None:
        raise ConfigError(
            "llama.cpp takes a callback only while it makes a context, and this one was made "
            "without; construct the model with tp.llamacpp.Llama(...), or inside "
            "`with tp.llamacpp.attachable():`"
        )
    if model_file is not None:
        return replace(found, model_file=model_file)
    return found


def detach(context: Context) -> None:
    """Forget a context that was freed, before another one gets its address."""
    of = installed() if context.package is None else library(context.package)
    _attached.pop((of.package, address_of(context.pointer)), None)


def address_of(pointer: Any) -> int:
    """A pointer of ctypes, or a plain address, as a number."""
    if isinstance(pointer, int):
        return pointer
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


@contextmanager
def patched(
    api: ModuleType, name: str, replace: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """Replace a function that a package looks up at each call, where it has one of that name."""
    original = getattr(api, name, None)
    if original is None:
        yield
        return
    replacement = replace(original)
    with _patching:
        setattr(api, name, replacement)
    try:
        yield
    finally:
        with _patching:
            if getattr(api, name) is replacement:
                setattr(api, name, original)


def _loader(of: Library) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def replacing(load: Callable[..., Any]) -> Callable[..., Any]:
        def load_model(path: Any, *arguments: Any) -> Any:
            model = load(path, *arguments)
            if model:
                text = path.decode() if isinstance(path, bytes) else str(path)
                pointer = address_of(model)
                _model_files[(of.package, pointer)] = text, _identity(of, pointer)
            return model

        return load_model

    return replacing


def _model_file(of: Library, pointer: int) -> str | None:
    """The file of a model; None where another model may be where it was."""
    path, identity = _model_files.get((of.package, pointer), (None, None))
    return path if path is not None and identity == _identity(of, pointer) else None


def _identity(of: Library, pointer: int) -> object:
    """What tells a model from most others: its size and number of weights."""
    names = ("llama_model_size", "llama_model_n_params")
    functions = [of.function(name, ctypes.c_uint64, ctypes.c_void_p) for name in names]
    return tuple(None if each is None else each(pointer) for each in functions)


def _maker(
    of: Library, before: Callable[[Callback], int] | None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def replacing(make: Callable[..., Any]) -> Callable[..., Any]:
        def make_context(model: Any, parameters: Any) -> Any:
            if parameters.cb_eval:  # somebody else's; theirs stays
                return make(model, parameters)
            callback = new_callback()
            kind = type(parameters.cb_eval)
            parameters.cb_eval = kind(callback.address if before is None else before(callback))
            parameters.cb_eval_user_data = callback.user_data
            try:
                context = make(model, parameters)
            finally:
                parameters.cb_eval, parameters.cb_eval_user_data = kind(), None
            if context:
                pointer = address_of(context)
                model_file = _model_file(of, address_of(model))
                moves_cells = getattr(parameters, "defrag_thold", -1.0) >= 0
                _attached[(of.package, pointer)] = Attached(
                    of, pointer, callback, model_file, moves_cells
                )
            return context

        return make_context

    return replacing
