"""What commands are given: contracts as a stem, a file or a folder; and what ran."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracepact.cli.options import open_registry
from tracepact.contracts import ContractRegistry
from tracepact.contracts.problem_log import did_you_mean
from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from tracepact.evidence import Result

EvidenceOption = Annotated[
    Path | None,
    typer.Option(
        "--evidence",
        metavar="FILE",
        help="Results of a test run; .tracepact/evidence.json by default.",
        show_default=False,
    ),
]


def open_target(
    target: str | None, contracts: Path | None
) -> tuple[ContractRegistry, tuple[str, ...]]:
    """The registry that a target belongs to, and the stems that it means.

    Args:
        target: A path to a file or folder, the stem of a contract, or None for all.
        contracts: Folder that stems are looked up in; the shipped contracts by default.

    Raises:
        ConfigError: It is neither, or holds no contract.
    """
    if target is not None and os.path.exists(target):
        registry = ContractRegistry.load(target)
        if not registry.contracts:
            raise ConfigError(f"{target} has no contracts; name a *.yaml contract or a folder")
        return registry, tuple(registry.contracts)
    registry = open_registry(contracts)
    if target is None:
        return registry, tuple(registry.contracts)
    stem = target.removesuffix(".yaml").removesuffix(".yml")
    if stem not in registry.contracts:
        hint = did_you_mean(stem, registry.contracts)
        raise ConfigError(f"{target!r} is neither a contract nor a path; {hint}")
    return registry, (stem,)


def open_evidence(file: Path | None) -> tuple[Result, ...]:
    """What is known to have run, in the project of the current folder.

    Args:
        file: None is what `evidence` of `[tool.tracepact]` names, else the default file.

    Raises:
        ConfigError: A file that was named does not exist, or one is no evidence file.
    """
    from tracepact.evidence import evidence_file, load_evidence

    project = Path.cwd()
    if file is not None and not file.is_file():
        raise ConfigError(f"--evidence {file} does not exist; run pytest --tracepact to write it")
    return load_evidence(file or evidence_file(project), project)
