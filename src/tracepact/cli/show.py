"""`tracepact show`: a contract, or one equation of it, as a page to read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tracepact.cli.options import ContractsOption, Format, FormatOption, print_json
from tracepact.cli.targets import EvidenceOption, open_evidence, open_target
from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracepact.contracts import Contract, ContractRegistry, Equation, Obligation
    from tracepact.score import Standing
    from tracepact.types import SourceLocation

NAME: Final = "show"
HELP: Final = """Show a contract: formulas, domains, predicates with places, obligations, tests.

CONTRACT is a stem or a file. With --source or --evidence each obligation says on which rung of the
ladder it stands, by what ran and passed. Clauses that nothing understands, so that nothing checks
them, and placeholders are marked.

Examples:

    tracepact show softmax-kernel-v1

    tracepact show softmax-kernel-v1 masking --source .
"""


def main(
    contract: Annotated[str, typer.Argument(help="Stem or file.", show_default=False)],
    equation: Annotated[
        str | None, typer.Argument(help="Only this equation.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder with the tests.", show_default=False),
    ] = None,
    evidence: EvidenceOption = None,
    contracts: ContractsOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Look up, print."""
    from tracepact.bindings import load_bindings
    from tracepact.score import gather, read_sources, weigh

    registry, stems = open_target(contract, contracts)
    if len(stems) != 1:
        raise ConfigError(f"{contract} has {len(stems)} contracts; name one of them")
    if source is not None and not source.exists():
        raise ConfigError(f"--source {source}: does not exist")
    found = registry.contracts[stems[0]]
    names = list(found.equations)
    if equation is not None:
        names = [registry.equation(found.stem, equation).name]
    bindings = load_bindings(None)
    sources = None if source is None else read_sources(source, [found], bindings)
    standing = weigh(found, bindings, sources, gather(open_evidence(evidence)))
    obligations = [
        (each, index)
        for index, each in enumerate(found.obligations)
        if equation is None or each.covers(equation)
    ]
    if format_ is Format.JSON:
        print_json(_data(registry, found, names, obligations, standing))
    else:
        _print(registry, found, names, obligations, standing)
        for problem in () if sources is None else sources.problems:
            typer.echo(f"unread: {problem}")


def _data(
    registry: ContractRegistry,
    contract: Contract,
    names: Sequence[str],
    obligations: Sequence[tuple[Obligation, int]],
    standing: Standing,
) -> dict[str, Any]:
    return {
        "contract": contract.stem,
        "path": str(contract.path),
        "metadata": asdict(contract.metadata),
        "equations": [
            asdict(contract.equations[name])
            | {"unusable": [asdict(each) for each in registry.unusable(contract.stem, name)]}
            for name in names
        ],
        "obligations": [
            {
                "type": each.type,
                "property": each.property,
                "formal": each.formal,
                "location": asdict(each.location),
                "tested": standing.tested[index],
                "bounded": standing.bounded[index],
                "level": standing.levels[index] if standing.levels else None,
                "tests": [
                    test.id for test in contract.falsification_tests if _names(test.rule, each)
                ],
                "harnesses": [one.id for one in contract.harnesses if _names(one.obligation, each)],
            }
            for each, index in obligations
        ],
        "level": standing.level,
        "findings": [asdict(each) for each in standing.doubts],
    }


def _print(
    registry: ContractRegistry,
    contract: Contract,
    names: Sequence[str],
    obligations: Sequence[tuple[Obligation, int]],
    standing: Standing,
) -> None:
    from rich.console import Console

    from tracepact.score import LEVELS, find_placeholders

    console = Console(highlight=False, soft_wrap=True, markup=False)
    meta = contract.metadata
    console.print(f"{contract.stem} {meta.version} ({meta.kind})", style="bold")
    if meta.description:
        console.print(meta.description)
    placeholders = {
        each.location: f"placeholder: {each.reason}"
        for each in find_placeholders(registry.contracts.values())
    }
    for name in names:
        _print_equation(console, registry, contract.stem, contract.equations[name], placeholders)
    if obligations:
        console.print("\nobligations", style="bold")
    for each, index in obligations:
        level = f"  {LEVELS[standing.levels[index]]}" if standing.levels else ""
        console.print(f"  {each.type}: {each.property}{level}")
        if each.formal:
            console.print(f"    {each.formal}")
        for test, outcome in zip(contract.falsification_tests, standing.test_outcomes, strict=True):
            if _names(test.rule, each):
                console.print(f"    {test.id}: {test.prediction}")
                console.print(f"      {_cited(test.test, outcome)}", style="dim")
        for one, outcome in zip(contract.harnesses, standing.harness_outcomes, strict=True):
            if _names(one.obligation, each):
                console.print(f"    {one.id}: {one.strategy}, bound {one.bound}")
                console.print(f"      {_cited(one.harness, outcome)}", style="dim")
    if standing.level is not None:
        console.print(f"\nladder: {LEVELS[standing.level]}")
    for doubt in standing.doubts:
        console.print(str(doubt))


def _print_equation(
    console: Any,
    registry: ContractRegistry,
    stem: str,
    equation: Equation,
    remarks: Mapping[SourceLocation, str],
) -> None:
    console.print(f"\n{equation.name}", style="bold", end="")
    console.print(f"  {equation.location}", style="dim")
    for label in ("formula", "domain", "codomain", "tolerance"):
        value = getattr(equation, label)
        if value not in ("", None):
            console.print(f"  {label:<9}  {value}")
    understood = (
        *(registry.preconditions(stem, equation.name) or ()),
        *(registry.postconditions(stem, equation.name) or ()),
    )
    checked = {condition.location for condition in understood}
    for label, clauses in (
        ("before", equation.preconditions),
        ("after", equation.postconditions),
    ):
        for clause in clauses:
            remark = remarks.get(clause.location, "")
            if not remark and clause.location not in checked:
                remark = "not understood, not checked"
            mark = f"  ({remark})" if remark else ""
            console.print(f"  {label:<9}  {clause.text}{mark}", end="")
            console.print(f"  {clause.location}", style="dim")
    for text in equation.invariants:
        console.print(f"  {'invariant':<9}  {text}")


def _cited(text: str, outcome: str | None) -> str:
    return (text or "no test") + (f"  ({outcome})" if outcome else "")


def _names(text: str, obligation: Obligation) -> bool:
    return bool(text) and text in (obligation.property, obligation.id)
