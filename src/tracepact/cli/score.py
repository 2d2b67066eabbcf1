"""`tracepact score`: what contracts are worth, and what raises that most."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tracepact.cli.options import ContractsOption, Format, FormatOption, print_json
from tracepact.cli.targets import EvidenceOption, open_evidence, open_target
from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracepact.contracts import Problem
    from tracepact.score import CodebaseScore, ContractScore, Placeholder

NAME: Final = "score"
HELP: Final = """Score contracts by what they specify and by the evidence for it.

TARGET is the stem of a contract, a file or a folder; the shipped contracts by default. With
--source cited tests and bound functions count only where they are there; without, as written.
Levels above L1 come only from what ran and passed: `pytest --tracepact` leaves its results in
.tracepact/evidence.json; --evidence names another file. With --binding the functions that
implement the contracts count too, and the code base gets a score. Exit code 0: nothing wrong.
1: claims above the evidence, or citations that lead nowhere. 2: bad call.

Examples:

    tracepact score softmax-kernel-v1

    tracepact score contracts --source . --binding src/package/binding.yaml
"""

_LISTED_PLACEHOLDERS: Final = 10
_NO_SOURCES: Final = ["tests and harnesses count as written; --source DIR looks them up"]
_NO_EVIDENCE: Final = [
    "no level above L1, as nothing is known to have passed; run pytest --tracepact"
]


def main(
    target: Annotated[
        str | None, typer.Argument(help="Stem, file or folder.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder with the sources and the tests.", show_default=False
        ),
    ] = None,
    binding: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Binding file.", show_default=False)
    ] = None,
    evidence: EvidenceOption = None,
    contracts: ContractsOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Load, score, print."""
    from tracepact.bindings import load_bindings
    from tracepact.score import (
        find_placeholders,
        gather,
        read_sources,
        score_codebase,
        score_contract,
    )

    for option, path in (("--source", source), ("--binding", binding)):
        if path is not None and not path.exists():
            raise ConfigError(f"{option} {path}: does not exist")
    registry, stems = open_target(target, contracts)
    bindings = load_bindings(binding)
    chosen = [registry.contracts[stem] for stem in stems]
    sources = None if source is None else read_sources(source, chosen, bindings)
    ran = gather(open_evidence(evidence))
    # Boilerplate shows only beside the other contracts.
    placeholders = find_placeholders(registry.contracts.values())
    scores = [
        score_contract(
            contract,
            bindings=bindings,
            sources=sources,
            ran=ran,
            known=registry.contracts,
            placeholders=placeholders,
        )
        for contract in chosen
    ]
    codebase = None
    if len(chosen) == len(registry.contracts):
        codebase = score_codebase(registry.contracts, scores, bindings, sources)
    findings = [*bindings.problems, *(each for score in scores for each in score.findings)]
    findings += () if codebase is None else codebase.findings
    unread = [] if sources is None else list(sources.problems)
    missing = [*_NO_SOURCES] if sources is None else []
    missing += [] if ran.known else _NO_EVIDENCE
    missing += [f"unread: {problem}" for problem in unread]
    if format_ is Format.JSON:
        print_json(_data(scores, codebase, findings, missing=missing))
    else:
        _print(scores, codebase, findings, missing=missing)
    if findings:
        raise typer.Exit(1)


def _data(
    scores: Sequence[ContractScore],
    codebase: CodebaseScore | None,
    findings: Sequence[Problem],
    *,
    missing: Sequence[str],
) -> dict[str, Any]:
    return {
        "missing": list(missing),
        "contracts": [_without_findings(asdict(score)) for score in scores],
        "codebase": None if codebase is None else _without_findings(asdict(codebase)),
        "findings": [asdict(each) for each in findings],
    }


def _without_findings(data: dict[str, Any]) -> dict[str, Any]:
    data.get("standing", {}).pop("doubts", None)
    return {name: value for name, value in data.items() if name != "findings"}


def _print(
    scores: Sequence[ContractScore],
    codebase: CodebaseScore | None,
    findings: Sequence[Problem],
    *,
    missing: Sequence[str],
) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    width = max(len(score.stem) for score in scores)
    console.print(
        f"{'contract':<{width}}  spec  fals  boun  theo  bind  total     level  checks", style="dim"
    )
    for score in scores:
        values = "  ".join(map(_figure, score.dimensions.values()))
        level = "-" if score.level is None else f"L{score.level}"
        line = f"{score.stem:<{width}}  {values}   {score.total:.2f}  {score.grade}  {level:>5}"
        console.print(f"{line}    {score.checks:.2f}", markup=False)
        if score.advice:
            best = score.advice[0]
            console.print(
                f"{'':<{width}}  +{best.gain:.2f} {best.dimension}: {best.text}",
                style="dim",
                markup=False,
            )
    _print_placeholders(console, [each for score in scores for each in score.placeholders])
    for problem in findings:
        console.print(str(problem), markup=False)
    for each in missing:
        console.print(each)
    if codebase is not None:
        console.print(f"code base  {codebase.total:.2f}  {codebase.grade}", style="bold")
        for name, value in codebase.parts.items():
            console.print(f"  {_figure(value)}  {name.replace('_', ' ')}")


def _figure(value: float | None) -> str:
    return "   -" if value is None else f"{value:.2f}"


def _print_placeholders(console: Any, placeholders: Sequence[Placeholder]) -> None:
    for each in placeholders[:_LISTED_PLACEHOLDERS]:
        where = f"{each.contract}/{each.equation}"
        console.print(
            f"{each.location}: placeholder in {where}: {each.text} ({each.reason})", markup=False
        )
    if len(placeholders) > _LISTED_PLACEHOLDERS:
        more = len(placeholders) - _LISTED_PLACEHOLDERS
        console.print(f"and {more} more placeholders; --format json lists them")
