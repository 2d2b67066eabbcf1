"""How contracts changed, which version that demands, and whether they have it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tracepact.contracts import Contract, Equation, Problem
from tracepact.contracts.model import ENFORCEMENT_LEVELS
from tracepact.drift.bump import Bump, Party, announces, is_version, required_version
from tracepact.drift.changes import Change
from tracepact.drift.equation import compare_equations, formula_key, squeezed
from tracepact.drift.parts import compare_evidence, compare_obligations
from tracepact.lint.source import LintFile


@dataclass(frozen=True, slots=True)
class ContractDiff:
    """What happened to one contract.

    Attributes:
        stem: Its id; in the new files, where both have it.
        old_version: As the old file has it; None where there is no old file.
        new_version: As the new file has it; None where there is no new file.
        changes: Those that matter most first, then in the order of the file.
        bump: What they demand together.
        findings: A version that does not announce the changes.
    """

    stem: str
    old_version: str | None
    new_version: str | None
    changes: tuple[Change, ...]
    bump: Bump
    findings: tuple[Problem, ...]


def diff_sets(
    old: Mapping[str, LintFile],
    new: Mapping[str, LintFile],
    party: Party = Party.BOTH,
) -> list[ContractDiff]:
    """Compare two sets of contract files; contracts without a change are left out.

    Args:
        old: Files by the path that they have below what was named.
        new: The same for the other side. Files belong together by path, else by stem; a file that
            is alone on both sides belongs to the other whatever it is called.
        party: Whose code must not break.

    Files with equal content are not parsed. Otherwise O(n) in the size of the contracts.
    """
    found = []
    known = {file.stem for file in new.values()}
    removed: dict[str, Contract] = {}
    for was, now in _paired(old, new):
        if was is not None and now is not None:
            if was.data != now.data:
                diff = diff_contracts(was, now, party)
                found += [diff] if diff.changes or diff.findings else []
        elif was is not None and was.contract is not None and was.stem not in known:
            change = Change(kind="contract-removed", subject=was.stem, old=was.start)
            version = was.contract.metadata.version
            found.append(_diff(was.stem, version, None, [change], [], party))
            removed[was.stem] = was.contract
        elif now is not None and now.contract is not None:
            change = Change(kind="contract-added", subject=now.stem, new=now.start)
            version = now.contract.metadata.version
            found.append(_diff(now.stem, None, version, [change], [], party))
    return sorted(
        (_with_orphans(diff, new) if diff.stem in removed else diff for diff in found),
        key=lambda diff: (-diff.bump, diff.stem),
    )


def diff_contracts(old: LintFile, new: LintFile, party: Party = Party.BOTH) -> ContractDiff:
    """Compare two versions of one contract."""
    was, now = old.contract, new.contract
    if was is None or now is None:
        return _unreadable(old, new, party)
    changes = list(_changes(was, now, old, new))
    before, after = was.metadata.version, now.metadata.version
    bump = max((each.bump(party) for each in changes), default=Bump.NONE)
    return _diff(new.stem, before, after, changes, _version(new, before, after, bump), party)


def _diff(
    stem: str,
    before: str | None,
    after: str | None,
    changes: list[Change],
    findings: list[Problem],
    party: Party,
) -> ContractDiff:
    ordered = tuple(sorted(changes, key=lambda each: -each.bump(party)))
    bump = ordered[0].bump(party) if ordered else Bump.NONE
    return ContractDiff(stem, before, after, ordered, bump, tuple(findings))


def _unreadable(old: LintFile, new: LintFile, party: Party) -> ContractDiff:
    """One side is no contract: other YAML files on both sides say nothing."""
    was, now = old.contract, new.contract
    if was is not None:
        problems = new.problems or [Problem(new.start, "no contract", "")]
        change = Change(kind="contract-removed", subject=old.stem, old=old.start, new=new.start)
        return _diff(old.stem, was.metadata.version, None, [change], problems[:1], party)
    if now is not None:
        change = Change(kind="contract-added", subject=new.stem, old=old.start, new=new.start)
        return _diff(new.stem, None, now.metadata.version, [change], [], party)
    return _diff(new.stem, None, None, [], [], party)


def _version(file: LintFile, before: str, after: str, bump: Bump) -> list[Problem]:
    place = file.entry("metadata", "version")
    if bump is Bump.NONE and before == after:
        return []
    for text, what in ((after, "the version"), (before, "the old version")):
        if not is_version(text):
            said = repr(text) if text else "missing"
            hint = "write metadata.version as MAJOR.MINOR.PATCH, such as 1.0.0"
            return [Problem(place, f"{what} is {said}, and changes demand a {bump} one", hint)]
    if not announces(before, after, Bump.NONE):
        return [Problem(place, f"version {after} comes before {before}", "versions go up")]
    if announces(before, after, bump):
        return []
    least = required_version(before, bump)
    message = f"version {after} does not announce {bump} changes since {before}"
    return [Problem(place, message, f"write {least}, or take the changes back")]


def _changes(was: Contract, now: Contract, old: LintFile, new: LintFile) -> Iterator[Change]:
    yield from _metadata(was, now, old, new)
    yield from _equations(was, now, old, new)
    yield from compare_obligations(was, now, old, new)
    yield from compare_evidence(was, now, old, new)
    for name in sorted({*was.sections, *now.sections}):
        yield from _section(name, was, now, old, new)


def _section(
    name: str, was: Contract, now: Contract, old: LintFile, new: LintFile
) -> Iterator[Change]:
    """The change of a section that is plain data; of one on both sides, each entry by itself."""
    first, second = was.sections.get(name), now.sections.get(name)
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted({*first, *second}):
            if _data(first, key) != _data(second, key):
                yield Change(
                    kind="section-changed", subject=f"{name}.{key}",
                    before=_data(first, key), after=_data(second, key),
                    old=old.entry(name, key), new=new.entry(name, key),
                )  # fmt: skip
        return
    before, after = _data(was.sections, name), _data(now.sections, name)
    if before != after:
        how = "changed" if before and after else "added" if after else "removed"
        yield Change(
            kind=f"section-{how}", subject=name, before=before, after=after,
            old=old.section(name), new=new.section(name),
        )  # fmt: skip


def _metadata(was: Contract, now: Contract, old: LintFile, new: LintFile) -> Iterator[Change]:
    def change(kind: str, name: str, before: str, after: str) -> Change:
        return Change(
            kind=kind, subject=f"metadata.{name}", before=before, after=after,
            old=old.entry("metadata", name), new=new.entry("metadata", name),
        )  # fmt: skip

    first, second = was.metadata, now.metadata
    if first.kind != second.kind:
        yield change("kind-changed", "kind", first.kind, second.kind)
    for name in ("enforcement_level", "locked_level"):
        before, after = getattr(first, name), getattr(second, name)
        if before != after:
            rank = ("", *ENFORCEMENT_LEVELS).index
            how = "raised" if rank(after) > rank(before) else "lowered"
            yield change(f"level-{how}", name, before, after)
    for stem in sorted(set(first.depends_on) - set(second.depends_on)):
        yield change("dependency-removed", "depends_on", stem, "")
    for stem in sorted(set(second.depends_on) - set(first.depends_on)):
        yield change("dependency-added", "depends_on", "", stem)
    for name in ("description", "author", "created"):
        before, after = squeezed(getattr(first, name)), squeezed(getattr(second, name))
        if before != after:
            yield change("prose-changed", name, before, after)
    before, after = ("; ".join(map(squeezed, each.references)) for each in (first, second))
    if before != after:
        yield change("prose-changed", "references", before, after)


def _equations(was: Contract, now: Contract, old: LintFile, new: LintFile) -> Iterator[Change]:
    gone = [each for name, each in was.equations.items() if name not in now.equations]
    come = [each for name, each in now.equations.items() if name not in was.equations]
    pairs = [(each, now.equations[name]) for name, each in was.equations.items()
             if name in now.equations]  # fmt: skip
    by_formula: dict[str, Equation] = {}
    for each in come:
        by_formula.setdefault(formula_key(each.formula), each)
    renamed: set[str] = set()
    for each in gone:
        other = by_formula.pop(formula_key(each.formula), None) if each.formula else None
        if other is not None:
            renamed |= {each.name, other.name}
            pairs.append((each, other))
            yield Change(
                kind="equation-renamed", subject=other.name, before=each.name, after=other.name,
                old=each.location, new=other.location,
            )  # fmt: skip
    for each in (one for one in gone if one.name not in renamed):
        yield Change(
            kind="equation-removed", subject=each.name, before=squeezed(each.formula),
            old=each.location, new=new.section("equations"),
        )  # fmt: skip
    for each in (one for one in come if one.name not in renamed):
        yield Change(
            kind="equation-added", subject=each.name, after=squeezed(each.formula),
            old=old.section("equations"), new=each.location,
        )  # fmt: skip
    for each, other in pairs:
        yield from compare_equations(each, other, old, new)


def _data(sections: Mapping[str, Any], name: str) -> str:
    """Data under a name as text, whatever the order of keys; "" where it is not there."""
    if name not in sections:
        return ""
    return json.dumps(sections[name], sort_keys=True, ensure_ascii=False)


def _with_orphans(diff: ContractDiff, new: Mapping[str, LintFile]) -> ContractDiff:
    """A removed contract is found out by those that still depend on it."""
    findings = [
        Problem(
            file.entry("metadata", "depends_on"),
            f"depends on {diff.stem!r}, which is removed",
            "keep it, or drop the dependency",
        )
        for file in new.values()
        if file.contract is not None and diff.stem in file.contract.metadata.depends_on
    ]
    return ContractDiff(
        diff.stem, diff.old_version, None, diff.changes, diff.bump, (*diff.findings, *findings)
    )


def _paired(
    old: Mapping[str, LintFile], new: Mapping[str, LintFile]
) -> Iterator[tuple[LintFile | None, LintFile | None]]:
    left = {name: file for name, file in old.items() if name not in new}
    right = {name: file for name, file in new.items() if name not in old}
    for name, file in old.items():
        if name in new:
            yield file, new[name]
    if len(old) == len(new) == len(left) == len(right) == 1:
        yield next(iter(left.values())), next(iter(right.values()))
        return
    moved: dict[str, list[LintFile]] = {}
    for file in right.values():
        moved.setdefault(file.stem, []).append(file)
    for file in left.values():
        same = moved.get(file.stem)
        yield file, same.pop(0) if same else None
    for files in moved.values():
        for file in files:
            yield None, file
