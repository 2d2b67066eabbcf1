"""`tracepact diff`: what changed in contracts, and which version that demands."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tracepact.cli.options import print_json
from tracepact.drift.bump import Party
from tracepact.drift.words import markdown, markdown_row, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tracepact.drift.changes import Change
    from tracepact.drift.compare import ContractDiff
    from tracepact.types import SourceLocation

NAME: Final = "diff"
HELP: Final = """Show what changed in contracts, by meaning, and the version that it demands.

OLD and NEW are files, folders, or revisions of the git repository around the current folder: `REV`
for all contracts below the current folder, `REV:PATH` for a file or folder (relative to the current
folder). `REV..REV` and `REV..REV:PATH` name both sides. Without NEW the revision is compared with
the files as they are now. Nothing is checked out.

Order, spaces, comments and the way a predicate is written do not count: `ret <= 1` and `1 >= ret`
are the same.

Exit code 0: each `metadata.version` announces its changes. 1: one does not, or an old contract
cannot be read any more. 2: bad call.

Examples:

    tracepact diff HEAD:contracts

    tracepact diff v1.2.0..v1.3.0:contracts --format markdown

    tracepact diff old/softmax-kernel-v1.yaml new/softmax-kernel-v1.yaml
"""

_STYLES: Final = {"major": "bold red", "minor": "yellow", "patch": "dim", "none": "dim"}


_INDENT: Final = " " * 9


class DiffFormat(StrEnum):
    """How changes are written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def main(
    old: Annotated[str, typer.Argument(help="File, folder, REV, REV:PATH or REV..REV.")],
    new: Annotated[
        str | None, typer.Argument(help="The same for the other side.", show_default=False)
    ] = None,
    party: Annotated[
        Party, typer.Option("--for", help="Whose code the version has to keep working.")
    ] = Party.BOTH,
    format_: Annotated[
        DiffFormat, typer.Option("--format", help="What the report is for.")
    ] = DiffFormat.TEXT,
) -> None:
    """Read both sides, compare, print."""
    from tracepact.drift.compare import diff_sets
    from tracepact.drift.sides import open_sides

    before, after = open_sides(old, new)
    diffs = diff_sets(before.files, after.files, party)
    match format_:
        case DiffFormat.JSON:
            print_json(_data(before.label, after.label, diffs, party))
        case DiffFormat.MARKDOWN:
            typer.echo(_markdown(before.label, after.label, diffs, party), nl=False)
        case _:
            _print(before.label, after.label, diffs, party)
    if any(diff.findings for diff in diffs):
        raise typer.Exit(1)


def _data(old: str, new: str, diffs: Sequence[ContractDiff], party: Party) -> dict[str, Any]:
    return {
        "old": old,
        "new": new,
        "for": party.value,
        "bump": _highest(diffs),
        "contracts": [
            asdict(diff)
            | {
                "bump": str(diff.bump),
                "changes": [
                    asdict(each) | {"bump": str(each.bump(party))} for each in diff.changes
                ],
            }
            for diff in diffs
        ],
    }


def _print(old: str, new: str, diffs: Sequence[ContractDiff], party: Party) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    for diff in diffs:
        console.print(one_line(diff.stem), style="bold", end="")
        console.print(f"  {one_line(_versions(diff))}  ", end="")
        console.print(str(diff.bump), style=_STYLES[str(diff.bump)])
        for each in diff.changes:
            _print_change(console, each, party)
        console.print()
    for diff in diffs:
        for problem in diff.findings:
            console.print(one_line(f"{problem.location}: {problem.message}"), style="bold")
            console.print(f"  {one_line(problem.hint)}")
    console.print(_summary(old, new, diffs))


def _print_change(console: Console, change: Change, party: Party) -> None:
    bump = str(change.bump(party))
    console.print(f"  {bump:<5}", style=_STYLES[bump], end="")
    console.print(f"  {change.kind.replace('-', ' ')}  ", end="")
    console.print(one_line(change.subject), style="cyan")
    # Of prose it is enough to know where it stands.
    prose = change.kind == "prose-changed"
    sides = (
        ("-", "red", "" if prose else one_line(change.before), change.old),
        ("+", "green", "" if prose else one_line(change.after), change.new),
    )
    for sign, style, text, place in sides:
        if place is not None and (text or not any(side[2] for side in sides)):
            _print_side(console, f"{sign} {text}".rstrip(), style, place)
    for _, _, text, place in sides:
        if place is not None and not text and any(side[2] for side in sides):
            console.print(f"{_INDENT}  not in {one_line(str(place))}", style="dim")


def _print_side(console: Console, text: str, style: str, place: SourceLocation) -> None:
    """A text and its place, on one line where there is room."""
    bare = len(text) == 1  # the sign alone
    where = f" {one_line(str(place))}" if bare else f"  {one_line(str(place))}"
    fits = bare or len(_INDENT) + len(text) + len(where) <= console.width
    console.print(_INDENT + text, style=style, end="" if fits else f"\n{_INDENT}")
    console.print(where, style="dim")


def _markdown(old: str, new: str, diffs: Sequence[ContractDiff], party: Party) -> str:
    lines = [
        f"## {markdown(f'Contracts from {old} to {new}')}",
        "",
        markdown(_summary(old, new, diffs)),
    ]
    for diff in diffs:
        lines += ["", f"### {markdown(f'{diff.stem} {_versions(diff)}: {diff.bump}')}", ""]
        lines += [f"- **{markdown(p.message)}**; {markdown(p.hint)}" for p in diff.findings]
        lines += [""] if diff.findings else []
        lines += ["| bump | change | of | before | after |", "| --- | --- | --- | --- | --- |"]
        lines += [
            markdown_row(
                str(each.bump(party)),
                each.kind.replace("-", " "),
                each.subject,
                _placed(each.before, each.old),
                _placed(each.after, each.new),
            )
            for each in diff.changes
        ]
    return "\n".join(lines) + "\n"


def _placed(text: str, place: SourceLocation | None) -> str:
    return f"{text} ({place})" if text and place else text or str(place or "")


def _versions(diff: ContractDiff) -> str:
    if diff.old_version is None:
        return f"new {diff.new_version or 'without a version'}"
    if diff.new_version is None:
        return f"{diff.old_version or 'without a version'} removed"
    return f"{diff.old_version or 'no version'} → {diff.new_version or 'no version'}"


def _highest(diffs: Sequence[ContractDiff]) -> str:
    return str(max((diff.bump for diff in diffs), default="none"))


def _summary(old: str, new: str, diffs: Sequence[ContractDiff]) -> str:
    if not diffs:
        return f"nothing changed in meaning from {old} to {new}"
    counts = Counter(str(diff.bump) for diff in diffs)
    parts = ", ".join(f"{counts[name]} {name}" for name in _STYLES if counts[name])
    noun = "contract" if len(diffs) == 1 else "contracts"
    return f"{len(diffs)} {noun} changed ({parts}): a {_highest(diffs)} release"
