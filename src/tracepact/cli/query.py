"""`tracepact query`: find something in contracts."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tracepact.cli.options import ContractsOption, Format, FormatOption, print_json
from tracepact.cli.targets import open_target
from tracepact.drift.words import one_line
from tracepact.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from tracepact.bindings import Bindings
    from tracepact.drift.search import Hit, Passage

NAME: Final = "query"
HELP: Final = """Find contracts, equations, conditions, obligations, tests by what they say.

The best matches come first (BM25); words stand in any order, and `row_sums` is found by `row`, too.
Filters narrow that down, and work without TEXT. --bound and --unbound need --binding.

Exit code 0: something was found. 1: nothing was. 2: bad call.

Examples:

    tracepact query "rows sum to one"

    tracepact query overflow --in test --in postcondition

    tracepact query --type conservation --field ret --format json
"""

_WIDTH: Final = 160
"""Characters of a text that are shown."""


class PartName(StrEnum):
    """What can be found."""

    CONTRACT = "contract"
    EQUATION = "equation"
    PRECONDITION = "precondition"
    POSTCONDITION = "postcondition"
    OBLIGATION = "obligation"
    TEST = "test"
    HARNESS = "harness"


def main(
    text: Annotated[str, typer.Argument(help="Words.", show_default=False)] = "",
    part: Annotated[
        list[PartName] | None, typer.Option("--in", help="Only in these.", show_default=False)
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only contracts of this kind.", show_default=False)
    ] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only obligations of this type.", show_default=False),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(help="Only what has predicates about this field.", show_default=False),
    ] = None,
    bound: Annotated[
        bool | None,
        typer.Option("--bound/--unbound", help="Only with, or without, a function that is bound."),
    ] = None,
    binding: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Binding file.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most that are shown.")] = 10,
    contracts: ContractsOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Load, narrow down, search, print."""
    from tracepact.bindings import load_bindings
    from tracepact.contracts.model import KINDS, OBLIGATION_TYPES
    from tracepact.drift.search import passages, search

    _known("--kind", kind, KINDS)
    _known("--type", type_, OBLIGATION_TYPES)
    if bound is not None and binding is None:
        raise ConfigError("--bound and --unbound need --binding FILE, a binding.yaml")
    if binding is not None and not binding.is_file():
        raise ConfigError(f"--binding {binding} does not exist; name a binding.yaml")
    if not (text.strip() or part or kind or type_ or field or bound is not None):
        raise ConfigError("nothing to look for; give words, or a filter such as --type bound")
    registry, stems = open_target(None, contracts)
    everything = [each for stem in stems for each in passages(registry.contracts[stem])]
    if field:
        _known("--field", field, {name for each in everything for name in each.fields})
    bindings = load_bindings(binding)
    among = [
        each
        for each in everything
        if (not part or each.part in part)
        and (not kind or each.contract.metadata.kind in kind)
        and (not type_ or each.type in type_)
        and (not field or each.fields.issuperset(field))
        and (bound is None or _is_bound(each, bindings) is bound)
    ]
    hits = search(text, among, limit)
    if format_ is Format.JSON:
        print_json({"query": text, "searched": len(among), "hits": [_data(hit) for hit in hits]})
    else:
        _print(hits, len(among))
    if not hits:
        raise typer.Exit(1)


def _known(option: str, values: Sequence[str] | None, known: Any) -> None:
    from tracepact.contracts.problem_log import did_you_mean

    for value in values or ():
        if value not in known:
            raise ConfigError(f"{option} {value!r} is not known; {did_you_mean(value, known)}")


def _is_bound(passage: Passage, bindings: Bindings) -> bool:
    return any(bindings.get(passage.contract.stem, name) for name in passage.equations)


def _data(hit: Hit) -> dict[str, Any]:
    from tracepact.drift.search import place_of

    found = hit.passage
    return {
        "contract": found.contract.stem,
        "part": found.part,
        "name": found.name,
        "type": found.type,
        "score": round(hit.score, 3),
        "label": hit.label,
        "text": hit.text,
        "spans": [list(span) for span in hit.spans],
        "fields": sorted(found.fields),
        "location": asdict(place_of(hit)),
    }


def _print(hits: Sequence[Hit], searched: int) -> None:
    from rich.console import Console

    from tracepact.drift.search import place_of

    console = Console(highlight=False, soft_wrap=True, markup=False)
    for hit in hits:
        found = hit.passage
        console.print(one_line(found.contract.stem), style="bold", end="")
        kind = f"{found.part} ({found.type})" if found.type else found.part
        name = "" if found.name in (found.contract.stem, hit.text) else f"  {one_line(found.name)}"
        console.print(f"  {kind}{name}")
        if hit.text:
            console.print("  ", _snippet(hit), sep="")
        console.print(f"  {one_line(str(place_of(hit)))}", style="dim")
    if hits:
        console.print(f"\n{len(hits)} of {searched} places")
    else:
        console.print(f"nothing found in {searched} places; try other words or fewer filters")


def _snippet(hit: Hit) -> Text:
    """The part of a text around the first word that was asked for, such words marked."""
    from rich.text import Text

    first = hit.spans[0][0] if hit.spans else 0
    start = max(0, min(first - _WIDTH // 4, len(hit.text) - _WIDTH))
    shown = Text("".join(c if c.isprintable() else " " for c in hit.text[start : start + _WIDTH]))
    for begin, end in hit.spans:
        if end > start:
            shown.stylize("bold yellow", max(begin - start, 0), end - start)
    if start + _WIDTH < len(hit.text):
        shown.append("…")
    return Text.assemble("…" if start else "", shown)
