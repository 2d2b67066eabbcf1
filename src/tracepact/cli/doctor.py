"""`tracepact doctor`: what this installation and this machine can do."""

from __future__ import annotations

import importlib.util
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tracepact.cli.options import (
    ContractsOption,
    Format,
    FormatOption,
    open_registry,
    print_json,
)

NAME: Final = "doctor"
HELP: Final = """Show what runs here and why: core, contracts, hardware, optional libraries.

Bandwidth, peak and launch overhead are measured once and kept; --refresh measures them again. All
budgets rest on them. With --model, show instead how PyTorch's modules of a model are understood:
which brick of which layer each is, and which contract checks it. That needs no weights.

Exit code 0: all well. 1: a contract has problems. 2: bad call.

Example:

    tracepact doctor --model model.gguf
"""

_EXTRAS: Final = {
    "gguf": "engine",
    "tokenizers": "engine",
    "jinja2": "engine",
    "psutil": "hardware",
    "cpuinfo": "hardware",
    "threadpoolctl": "hardware",
    "pynvml": "gpu",
    "torch": "torch",
    "transformers": "torch",
    "llama.cpp": "llamacpp",
}
_MODULES: Final = {"llama.cpp": ("llama_cpp", "ik_llama_cpp")}
"""Modules of which one is enough, where they are not called as what is listed."""


def main(
    refresh: Annotated[bool, typer.Option("--refresh", help="Measure the hardware again.")] = False,
    model: Annotated[
        Path | None, typer.Option(help="A GGUF file, or a folder that transformers loads.")
    ] = None,
    contracts: ContractsOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Look, print."""
    if model is not None:
        from tracepact.cli.doctor_model import show_model

        show_model(model, format_)
        return
    report = _examine(refresh, contracts)
    if format_ is Format.JSON:
        print_json(report)
    else:
        _print(report)
    if report["contracts"]["problems"]:
        raise typer.Exit(1)


def _examine(refresh: bool, contracts: Any) -> dict[str, Any]:
    import numpy as np

    from tracepact.config import cache_dir
    from tracepact.core import selected_core
    from tracepact.profiling import HardwareCapability

    registry = open_registry(contracts)
    core = selected_core()
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "core": {"name": core.name, "reason": core.reason, **_native_details()},
        "contracts": {
            "count": len(registry.contracts),
            "equations": sum(len(c.equations) for c in registry.contracts.values()),
            "problems": [str(problem) for problem in registry.problems],
        },
        "hardware": asdict(HardwareCapability.detect(refresh=refresh)),
        "cache": str(cache_dir()),
        "extras": {
            name: (
                "installed"
                if any(map(importlib.util.find_spec, _MODULES.get(name, (name,))))
                else f"missing: pip install 'tracepact[{extra}]'"
            )
            for name, extra in _EXTRAS.items()
        },
    }


def _native_details() -> dict[str, str]:
    from tracepact.core import native_core

    native = native_core()
    if native is None:
        return {}
    return {"instruction_set": native.isa(), "clock": native.clock}


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for title, section in report.items():
        if not isinstance(section, dict):
            console.print(Text.assemble((f"{title} ", "bold"), str(section)))
            continue
        console.print(Text(title, "bold"))
        for name, value in section.items():
            for number, line in enumerate(_lines(value)):
                heading = "" if number else name
                # Wrapping would break paths that people copy.
                console.print(Text(f"  {heading:<22} {line}"), soft_wrap=True)


def _lines(value: Any) -> list[str]:
    if isinstance(value, float):
        return [f"{value:.4g}"]
    if isinstance(value, tuple):
        return [", ".join(map(str, value)) or "none"]
    if isinstance(value, list):
        return [line for item in value for line in str(item).splitlines()] or ["none"]
    return [str(value)]
