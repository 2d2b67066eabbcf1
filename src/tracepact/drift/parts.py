"""How obligations, falsification tests and harnesses changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

from tracepact.contracts import Clause, Contract, FalsificationTest, Harness, Obligation
from tracepact.drift.changes import Change
from tracepact.drift.conditions import compare_claims, placed_claims
from tracepact.drift.equation import compare_tolerances, squeezed
from tracepact.drift.normal import claims_of
from tracepact.lint.source import LintFile
from tracepact.types import SourceLocation

_Part = TypeVar("_Part", Obligation, FalsificationTest, Harness)
_Key: TypeAlias = Callable[[_Part], Hashable]

_OBLIGATIONS: Final = ("proof_obligations", "obligations", "properties")
_TESTS: Final = ("falsification_tests", "falsification")
_HARNESSES: Final = ("kani_harnesses", "harnesses")
_PROSE: Final = frozenset(("rule", "prediction", "if_fails", "property"))


def compare_obligations(
    old: Contract, new: Contract, old_file: LintFile, new_file: LintFile
) -> Iterator[Change]:
    """The changes of obligations, paired by id, by property, or by what they state."""
    keys: tuple[_Key[Obligation], ...] = (
        lambda each: each.id,
        lambda each: squeezed(each.property).lower(),
        lambda each: tuple(claim.key for claim in claims_of(each.formal) if claim.key),
    )
    pairs, gone, come = _paired(old.obligations, new.obligations, keys)
    for was, now in pairs:
        yield from _obligation(was, now, old_file, new_file)
    for was in gone:
        yield Change(
            kind="obligation-removed", subject=_name(was), before=was.formal,
            old=was.location, new=new_file.section(*_OBLIGATIONS),
        )  # fmt: skip
    fresh = new.equations.keys() - old.equations.keys()
    for now in come:
        # What is to be shown of new equations alone comes with them.
        if not (now.applies_to and fresh >= set(now.applies_to)):
            yield Change(
                kind="obligation-added", subject=_name(now), after=now.formal,
                old=old_file.section(*_OBLIGATIONS), new=now.location,
            )  # fmt: skip


def compare_evidence(
    old: Contract, new: Contract, old_file: LintFile, new_file: LintFile
) -> Iterator[Change]:
    """The changes of what is to speak for the obligations, paired by id."""
    yield from _evidence(
        "test", old.falsification_tests, new.falsification_tests,
        (old_file, old_file.section(*_TESTS)), (new_file, new_file.section(*_TESTS)),
        ("test", "rule", "prediction", "if_fails"),
    )  # fmt: skip
    yield from _evidence(
        "harness", old.harnesses, new.harnesses,
        (old_file, old_file.section(*_HARNESSES)), (new_file, new_file.section(*_HARNESSES)),
        ("obligation", "bound", "strategy", "solver", "harness", "property"),
    )  # fmt: skip


def _obligation(
    was: Obligation, now: Obligation, old_file: LintFile, new_file: LintFile
) -> Iterator[Change]:
    subject = _name(now)
    yield from compare_tolerances(subject, was, now, old_file, new_file)
    texts = (
        ("type", "obligation-changed", was.type, now.type),
        ("requires", "obligation-changed", _set(was.requires), _set(now.requires)),
        ("applies_to", "obligation-changed", _set(was.applies_to), _set(now.applies_to)),
        ("lean", "theorem-changed", _theorem(was), _theorem(now)),
        ("property", "prose-changed", squeezed(was.property), squeezed(now.property)),
        ("id", "prose-changed", was.id, now.id),
    )
    for name, kind, before, after in texts:
        if before != after:
            yield Change(
                kind=kind, subject=f"{subject}.{name}", before=before, after=after,
                old=old_file.value(was.location, name), new=new_file.value(now.location, name),
            )  # fmt: skip
    old_place = old_file.value(was.location, "formal")
    new_place = new_file.value(now.location, "formal")
    tolerance = now.tolerance if was.tolerance is None else was.tolerance
    stated = compare_claims(
        placed_claims([Clause(was.formal, old_place)] if was.formal else []),
        placed_claims([Clause(now.formal, new_place)] if now.formal else []),
        tolerance,
    )
    ways = {how for how, _, _ in stated}
    if ways:
        stronger, weaker = ways <= {"added", "tightened"}, ways <= {"removed", "loosened"}
        how = "tightened" if stronger else "loosened" if weaker else "changed"
        yield Change(
            kind=f"obligation-{how}", subject=subject, before=was.formal, after=now.formal,
            old=old_place, new=new_place,
        )  # fmt: skip


def _evidence(
    kind: str,
    olds: Sequence[_Part],
    news: Sequence[_Part],
    old_file: tuple[LintFile, SourceLocation],
    new_file: tuple[LintFile, SourceLocation],
    fields: Sequence[str],
) -> Iterator[Change]:
    pairs, gone, come = _paired(olds, news, (lambda each: each.id, lambda each: _content(each)))
    for was, now in pairs:
        for name in fields:
            before, after = getattr(was, name), getattr(now, name)
            if squeezed(str(before)) != squeezed(str(after)):
                yield Change(
                    kind="prose-changed" if name in _PROSE else f"{kind}-changed",
                    subject=f"{now.id}.{name}",
                    before="" if before is None else squeezed(str(before)),
                    after="" if after is None else squeezed(str(after)),
                    old=old_file[0].value(was.location, name),
                    new=new_file[0].value(now.location, name),
                )
    for was in gone:
        yield Change(
            kind=f"{kind}-removed", subject=was.id, before=_content(was),
            old=was.location, new=new_file[1],
        )  # fmt: skip
    for now in come:
        yield Change(
            kind=f"{kind}-added", subject=now.id, after=_content(now),
            old=old_file[1], new=now.location,
        )  # fmt: skip


def _paired(
    olds: Sequence[_Part], news: Sequence[_Part], keys: Sequence[_Key[_Part]]
) -> tuple[list[tuple[_Part, _Part]], list[_Part], list[_Part]]:
    """Those that belong together by the first key that says so, and those that are alone."""
    pairs: list[tuple[_Part, _Part]] = []
    left, right = list(olds), list(news)
    for key in keys:
        by_key: dict[Hashable, list[_Part]] = {}
        for each in reversed(right):
            if key(each):
                by_key.setdefault(key(each), []).append(each)
        alone = []
        for each in left:
            same = by_key.get(key(each))
            if same:
                pairs.append((each, same.pop()))
            else:
                alone.append(each)
        taken = {id(now) for _, now in pairs}
        left, right = alone, [each for each in right if id(each) not in taken]
    return pairs, left, right


def _name(obligation: Obligation) -> str:
    return obligation.property or obligation.id or obligation.formal


def _content(part: Obligation | FalsificationTest | Harness) -> str:
    match part:
        case Obligation():
            return part.formal
        case FalsificationTest():
            return squeezed(part.prediction)
        case Harness():
            return squeezed(part.property or part.obligation)


def _set(names: Sequence[str]) -> str:
    return ", ".join(sorted(set(names)))


def _theorem(obligation: Obligation) -> str:
    lean = obligation.lean or {}
    return ", ".join(f"{name}: {lean[name]}" for name in sorted(lean))
