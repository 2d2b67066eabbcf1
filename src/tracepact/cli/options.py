"""Options and small helpers that several commands share."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tracepact.contracts import ContractRegistry
from tracepact.errors import ConfigError

CONTRACTS_VARIABLE: Final = "TRACEPACT_CONTRACTS"
"""Environment variable: a folder of contracts to use instead of the shipped library."""


class Format(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help="text for people, json for programs.")
]
ContractsOption = Annotated[
    Path | None,
    typer.Option(
        "--contracts",
        envvar=CONTRACTS_VARIABLE,
        help="Folder of contracts; the shipped library by default.",
        show_default=False,
    ),
]


def open_registry(path: Path | None) -> ContractRegistry:
    """The contracts of a folder (or file), or the shipped ones.

    Raises:
        ConfigError: The folder does not exist, or holds no contract.
    """
    if path is None:
        return ContractRegistry.builtin()
    registry = ContractRegistry.load(path)
    if not registry.contracts:
        what = "has no contracts" if os.path.exists(path) else "does not exist"
        raise ConfigError(f"--contracts {path}: {what}; name a folder with *.yaml contracts")
    return registry


def print_json(data: Any) -> None:
    """Print one JSON document."""
    json.dump(data, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
