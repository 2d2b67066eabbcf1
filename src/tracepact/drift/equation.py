"""How one equation changed."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.contracts import Equation, Obligation
from tracepact.drift.changes import Change
from tracepact.drift.conditions import compare_claims, names_in, placed_claims
from tracepact.drift.normal import normal
from tracepact.lint.source import LintFile
from tracepact.predicate import PredicateError, parse_formula
from tracepact.predicate.ast import unparse


def compare_equations(
    old: Equation, new: Equation, old_file: LintFile, new_file: LintFile
) -> Iterator[Change]:
    """The changes of an equation that both versions have."""
    yield from _texts(old, new, old_file, new_file)
    yield from compare_tolerances(new.name, old, new, old_file, new_file)
    was = old_file.value(old.location, "invariants")
    now = new_file.value(new.location, "invariants")
    for text in _only(old.invariants, new.invariants):
        yield Change(kind="invariant-removed", subject=new.name, before=text, old=was, new=now)
    for text in _only(new.invariants, old.invariants):
        yield Change(kind="invariant-added", subject=new.name, after=text, old=was, new=now)
    yield from _conditions(old, new, old_file, new_file)


def formula_key(text: str) -> str:
    """A formula without what does not count: spaces, and the order of operands."""
    try:
        found = parse_formula(text)
    except PredicateError:
        return squeezed(text)
    return f"{found.name} = {unparse(normal(found.node))}"


def compare_tolerances(
    subject: str,
    old: Equation | Obligation,
    new: Equation | Obligation,
    old_file: LintFile,
    new_file: LintFile,
) -> Iterator[Change]:
    """The change of a tolerance; where there is none, anything is near enough."""
    before, after = old.tolerance, new.tolerance
    if before == after:
        return
    tighter = before is None or (after is not None and after < before)
    yield Change(
        kind="tolerance-tightened" if tighter else "tolerance-loosened",
        subject=subject,
        before="" if before is None else f"{before:g}",
        after="" if after is None else f"{after:g}",
        old=old_file.value(old.location, "tolerance"),
        new=new_file.value(new.location, "tolerance"),
    )


def squeezed(text: str) -> str:
    """The text with each run of white space as one space."""
    return " ".join(text.split())


def _texts(
    old: Equation, new: Equation, old_file: LintFile, new_file: LintFile
) -> Iterator[Change]:
    for name, kind in (
        ("formula", "formula-changed"),
        ("domain", "domain-changed"),
        ("codomain", "codomain-changed"),
        ("description", "prose-changed"),
        ("lean_theorem", "theorem-changed"),
    ):
        before, after = squeezed(getattr(old, name)), squeezed(getattr(new, name))
        if before != after and not (
            name == "formula" and formula_key(before) == formula_key(after)
        ):
            yield Change(
                kind=kind,
                subject=new.name if kind != "prose-changed" else f"{new.name}.{name}",
                before=before,
                after=after,
                old=old_file.value(old.location, name),
                new=new_file.value(new.location, name),
            )


def _conditions(
    old: Equation, new: Equation, old_file: LintFile, new_file: LintFile
) -> Iterator[Change]:
    kinds = ("precondition", "postcondition")
    clauses = {kind: (getattr(old, f"{kind}s"), getattr(new, f"{kind}s")) for kind in kinds}
    before = {kind: placed_claims(clauses[kind][0]) for kind in kinds}
    after = {kind: placed_claims(clauses[kind][1]) for kind in kinds}
    gone = names_in(each for kind in kinds for each in before[kind].values())
    come = names_in(each for kind in kinds for each in after[kind].values())
    lost, won = gone.keys() - come.keys(), come.keys() - gone.keys()
    if len(lost) == len(won) == 1:
        names = dict(zip(lost, won, strict=True))
        renamed = {kind: placed_claims(clauses[kind][0], names) for kind in kinds}
        if any(renamed[kind].keys() & (after[kind].keys() - before[kind].keys()) for kind in kinds):
            before = renamed
            (name,), (other,) = lost, won
            yield Change(
                kind="field-renamed", subject=new.name, before=name, after=other,
                old=gone[name].location, new=come[other].location,
            )  # fmt: skip
            lost = won = set()
    for name in sorted(lost):
        yield Change(
            kind="field-removed", subject=new.name, before=name,
            old=gone[name].location, new=new.location,
        )  # fmt: skip
    for name in sorted(won):
        yield Change(
            kind="field-added", subject=new.name, after=name,
            old=old.location, new=come[name].location,
        )  # fmt: skip
    tolerance = new.tolerance if old.tolerance is None else old.tolerance
    for kind in kinds:
        for how, was, now in compare_claims(before[kind], after[kind], tolerance):
            yield Change(
                kind=f"{kind}-{how}",
                subject=new.name,
                before=was.text if was else "",
                after=now.text if now else "",
                old=was.clause.location if was else old_file.value(old.location, f"{kind}s"),
                new=now.clause.location if now else new_file.value(new.location, f"{kind}s"),
            )


def _only(texts: tuple[str, ...], others: tuple[str, ...]) -> list[str]:
    """Texts that the others do not have."""
    known = {squeezed(each) for each in others}
    return [text for text in texts if squeezed(text) not in known]
