"""What C allows on this machine: small extensions, compiled when a benchmark asks for them."""

from __future__ import annotations

import hashlib
import importlib.util
import shlex
import subprocess
import sysconfig
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks.harness import UnavailableError, machine

_BUILD = Path(__file__).parents[2] / "build" / "floor"
_FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fPIC", "-Wall", "-Wextra")


def load(name: str) -> ModuleType:
    """The extension `NAME.c` of this folder, compiled once by the compiler that Python names.

    Raises:
        UnavailableError: There is no compiler, or it refuses the file.
    """
    source = Path(__file__).parent / f"{name}.c"
    command = [
        *shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared"),
        *_FLAGS,
        f"-I{sysconfig.get_paths()['include']}",
        f"-I{np.get_include()}",
        str(source),
    ]
    key = hashlib.sha256(source.read_bytes())
    key.update(repr((command, machine()["processor"])).encode())
    target = _BUILD / key.hexdigest()[:16] / (name + sysconfig.get_config_var("EXT_SUFFIX"))
    if not target.exists():
        _compile([*command, "-o", str(target)], target)
    loader = ExtensionFileLoader(name, str(target))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def _compile(command: list[str], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise UnavailableError(f"no compiler: {command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{command[0]} failed: {error.stderr.strip()[-300:]}") from error
