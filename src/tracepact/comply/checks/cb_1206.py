"""CB-1206: obligations are proved within bounds."""

from __future__ import annotations

from collections.abc import Iterator

from tracepact.comply.check import Check, Verdict, count, judged, percent, skipped
from tracepact.comply.project import Project
from tracepact.contracts import Contract, Obligation
from tracepact.evidence import Outcome
from tracepact.lint.rule import Finding, Rule
from tracepact.score.ran import outcome_of

RULE = Rule(
    id="CB-1206",
    severity="error",
    name="too-few-bounded-proofs",
    what="Too few obligations have a bounded proof that ran and passed. A harness that was not "
    "run, was undecided or was refuted proves nothing.",
    why="Tests try some inputs; a bounded proof tries all of them up to a size.",
    bad="verification_summary: {l3_kani_proved: 5}",
    good="kani_harnesses:\n"
    "  - {id: K-1, obligation: rows sum to 1, bound: 8, strategy: exhaustive}",
)

_RUN = "run `pytest --tracepact --tracepact-bounded`"


def _run(project: Project) -> Verdict:
    owed = [(contract, each) for contract in project.used for each in contract.obligations]
    if not owed:
        return skipped("no contract that is used has obligations")
    refuted = [each for each in owed if _outcome(project, *each) == "failed"]
    proved = sum(_outcome(project, *each) == "passed" for each in owed)
    summary = f"{proved} of {count(len(owed), 'obligation')} proved within bounds"
    return judged(summary, [*_refuted(refuted), *_too_few(project, proved, len(owed))])


def _refuted(refuted: list[tuple[Contract, Obligation]]) -> Iterator[Finding]:
    for contract, each in refuted:
        message = f"a bounded proof refuted {each.property!r}"
        hint = f"correct the function; {_RUN} to see the counterexample"
        yield RULE.at(each.location, message, hint, contract=contract.stem)


def _too_few(project: Project, proved: int, owed: int) -> Iterator[Finding]:
    least = project.threshold("min-bounded-percent")
    share = percent(proved, owed)
    if not proved:
        yield RULE.at(project.place, "no bounded proof passed", _RUN, severity="warning")
    elif share < least:
        message = f"{share:.0f} % of the obligations are proved, {least:g} % asked for"
        yield RULE.at(project.place, message, f"add harnesses, then {_RUN}")


def _outcome(project: Project, contract: Contract, obligation: Obligation) -> Outcome | None:
    """What came of its proofs; one that was refuted decides."""
    names = (obligation.id, obligation.property)
    harnesses = [each.id for each in contract.harnesses if each.obligation in names]
    return outcome_of(project.ran.proofs(contract, obligation, harnesses))


CHECK = Check(
    rule=RULE,
    title="obligations are proved within bounds",
    fails="a proof was refuted, or some passed, but for less than `min-bounded-percent`",
    warns="none passed, or none was run",
    skips="no contract that is used has obligations",
    run=_run,
)
