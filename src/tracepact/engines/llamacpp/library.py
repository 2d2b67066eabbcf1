"""llama.cpp as it is installed: `llama-cpp-python`, or the prebuilt fork `ik-llama-cpp-python`."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final

from tracepact.errors import ConfigError, MissingExtraError

_HOMES: Final = MappingProxyType(
    {
        "llama_cpp": ("llama-cpp-python", "llama_cpp.llama_cpp", "Llama"),
        "ik_llama_cpp": ("ik-llama-cpp-python", "ik_llama_cpp._ctypes_api", "IkLlama"),
    }
)
"""Package to its distribution, the module with the functions of `llama.h`, the high-level class."""


@dataclass(frozen=True, eq=False)
class Library:
    """One installed llama.cpp.

    Attributes:
        package: Its top-level module.
        description: Distribution and version, for people.
        api: The module whose functions are those of `llama.h`; the package looks them up there at
            each call.
        llama: The package's high-level class.
    """

    package: str
    description: str
    api: ModuleType
    llama: type

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """A function of llama.h or ggml.h, typed by `ctypes`; None where there is no such symbol.

        Each call makes a new one, so that types that others have set stay as they are.
        """
        for library in _shared_objects(self.api):
            try:
                found = ctypes.CFUNCTYPE(result, *arguments)((name, library))
            except AttributeError:
                continue
            return found
        return None


def installed() -> Library:
    """The llama.cpp to use: one that is imported already, else the first that is installed.

    Raises:
        MissingExtraError: There is none.
    """
    for package in sorted(_HOMES, key=lambda name: name not in sys.modules):
        if package in sys.modules or find_spec(package) is not None:
            return library(package)
    raise MissingExtraError("llama.cpp", "llamacpp")


def library_of(model: Any) -> Library:
    """The llama.cpp that an object of its high-level class belongs to."""
    for kind in type(model).__mro__:
        package = kind.__module__.partition(".")[0]
        if package in _HOMES:
            return library(package)
    raise ConfigError(f"{type(model).__name__} is no class of {', '.join(_HOMES)}")


@cache
def library(package: str) -> Library:
    """An installed llama.cpp by its package.

    Raises:
        MissingExtraError: It is not installed, or its shared libraries cannot be loaded.
    """
    distribution, api, llama = _HOMES[package]
    try:
        functions = import_module(api)
        high_level = getattr(import_module(package), llama)
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingExtraError(f"{distribution} ({error})", "llamacpp") from error
    try:
        description = f"{distribution} {version(distribution)}"
    except PackageNotFoundError:  # on the path, but not installed by pip
        description = distribution
    return Library(package, description, functions, high_level)


@cache
def _shared_objects(api: ModuleType) -> tuple[ctypes.CDLL, ...]:
    """The package's handle, through which the loader finds ggml too, then ggml's own files."""
    return tuple(_handles(api))


def _handles(api: ModuleType) -> Iterator[ctypes.CDLL]:
    for value in vars(api).values():
        if isinstance(value, ctypes.CDLL):
            yield value
    folder = Path(str(api.__file__)).parent / "lib"
    for pattern in ("*ggml-base.*", "*ggml.*"):
        for path in sorted(folder.glob(pattern)):
            if path.suffix in (".so", ".dylib", ".dll"):
                yield ctypes.CDLL(str(path))
