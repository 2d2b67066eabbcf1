"""Levels come from what ran and passed, never from what a contract claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tracepact.bindings import load_bindings
from tracepact.contracts import load_contract
from tracepact.evidence import Result
from tracepact.score import Standing, gather, read_sources, weigh

Edit = Callable[[str, str, str], None]


def standing(project: Path, ran: Iterable[Result] = (), *, sources: bool = True) -> Standing:
    contract, problems = load_contract(project / "scale-v1.yaml")
    assert contract is not None, problems
    bindings = load_bindings(project / "binding.yaml")
    found = read_sources(project, [contract], bindings) if sources else None
    return weigh(contract, bindings, found, gather(ran))


def messages(project: Path, ran: Iterable[Result] = ()) -> list[str]:
    return [
        f"{Path(each.location.file).name}:{each.location.line}: {each.message}"
        for each in standing(project, ran).doubts
    ]


def of(results: list[Result], *kinds: str) -> list[Result]:
    return [each for each in results if each.kind in kinds]


def turned(results: list[Result], what: str, outcome: str) -> list[Result]:
    """The same results, but those whose test ends so."""
    return [
        replace(each, outcome=outcome) if each.test.endswith(what) else each for each in results
    ]


# -- what leads where ---------------------------------------------------------------------------


def test_nothing_that_ran_is_no_level_above_1(project: Path, edit: Edit) -> None:
    found = standing(project)
    assert (found.level, found.levels, found.ran) == (1, (0, 0), False)
    assert (found.tested, found.bounded, found.doubts) == ((True, True), (1.0, 0.9), ())
    edit("kernels.py", "x: float", "x")
    assert standing(project).level == 0


def test_falsification_that_passed_is_level_2_and_with_given_level_3(
    project: Path, passed: list[Result]
) -> None:
    assert standing(project, of(passed, "falsification")).levels == (2, 3)
    assert standing(project, of(passed, "test")).levels == (2, 3)


def test_generated_property_that_passed_is_level_3(project: Path, passed: list[Result]) -> None:
    found = standing(project, of(passed, "property", "test"))
    assert (found.level, found.levels) == (3, (3, 3))


def test_bounded_proof_that_passed_is_level_4(project: Path, passed: list[Result]) -> None:
    found = standing(project, passed)
    assert (found.level, found.levels, found.ran) == (4, (4, 4), True)


def test_interface_test_that_passed_is_level_1(project: Path) -> None:
    result = Result(test="i", kind="interface", outcome="passed", contract="scale-v1")
    assert standing(project, [result], sources=False).level == 1
    assert standing(project, [replace(result, outcome="failed")]).level == 0


def test_theorem_is_level_5_where_something_ran_too(
    project: Path, edit: Edit, passed: list[Result]
) -> None:
    lean = "lean: {theorem: Scale.doubles, status: proved}"
    edit("scale-v1.yaml", "property: Doubles}", f"property: Doubles, {lean}}}")
    assert standing(project, sources=False).proved == (None, False)
    assert "'Scale.doubles' is claimed as proved" in messages(project)[0]
    (project / "Scale.lean").write_text("theorem Scale.doubles : s x = x + x := rfl\n")
    assert standing(project).proved == (None, True)
    assert standing(project).levels == (0, 0)
    assert standing(project, passed).levels == (4, 5)


def test_nothing_read_and_nothing_ran_is_no_level(project: Path) -> None:
    found = standing(project, sources=False)
    assert (found.level, found.tested, found.doubts) == (None, (True, True), ())


# -- what does not count ------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["F-1", "test_finite"])
def test_falsification_that_failed_counts_nothing(
    project: Path, passed: list[Result], what: str
) -> None:
    ran = turned(passed, what, "failed")
    found = standing(project, ran)
    assert (found.tested, found.levels) == ((False, True), (0, 4))
    (doubt,) = found.doubts
    assert doubt.kind == "failed"
    assert doubt.message.startswith("test F-1 is refuted by ")


def test_cited_test_that_was_skipped_counts_nothing(project: Path, passed: list[Result]) -> None:
    ran = turned(of(passed, "test"), "test_finite", "skipped")
    assert standing(project, ran).tested == (False, True)
    assert standing(project, ran).levels == (0, 3)


def test_property_that_failed_refutes_its_obligation(project: Path, passed: list[Result]) -> None:
    ran = turned(passed, "property::Doubles", "failed")
    assert standing(project, ran).levels == (4, 0)
    assert "obligation 'Doubles' is refuted by binding.yaml::" in messages(project, ran)[0]


@pytest.mark.parametrize(
    ("outcome", "weight", "level"), [("passed", 1.0, 4), ("skipped", 0.5, 3), ("failed", 0.0, 0)]
)
def test_bounded_proof_counts_as_it_ended(
    project: Path, passed: list[Result], outcome: str, weight: float, level: int
) -> None:
    ran = [each for each in passed if not each.test.endswith("test_bounded")]
    found = standing(project, turned(ran, "bounded::Doubles", outcome))
    assert (found.bounded[1], found.levels[1]) == (weight, level)


def test_harness_whose_own_test_passed_weighs_as_written_but_is_no_proof(
    project: Path, passed: list[Result]
) -> None:
    found = standing(project, turned(passed, "bounded::Doubles", "skipped"))
    assert (found.bounded[1], found.levels[1]) == (0.9, 3)


@pytest.mark.parametrize(
    ("detail", "weight"),
    [
        ("enumeration of softmax: 9 cases", 1.0),
        ("z3 over reals: no counterexample", 0.9),
        ("z3 over reals and enumeration of formula: 9 cases", 0.8),
        ("exhaustive: 9 cases", 1.0),
        ("compositional", 0.7),
        ("magic", 0.5),
        ("", 0.5),
    ],
)
def test_bounded_proof_weighs_what_its_method_does_whatever_the_contract_says(
    project: Path, passed: list[Result], detail: str, weight: float
) -> None:
    proofs = [replace(each, detail=detail) for each in of(passed, "bounded")]
    assert standing(project, proofs).bounded == (weight, weight)


def test_property_of_another_equation_says_nothing(
    project: Path, edit: Edit, passed: list[Result]
) -> None:
    edit("scale-v1.yaml", "property: Doubles}", "property: Doubles, applies_to: [scale]}")
    other = [replace(each, equation="shift") for each in of(passed, "property")]
    assert standing(project, other).levels == (3, 0)


def test_result_of_another_contract_says_nothing(project: Path, passed: list[Result]) -> None:
    other = [replace(each, contract="scale-v2") for each in passed if each.kind != "test"]
    assert standing(project, other).levels == (0, 0)


def test_result_of_another_case_says_nothing(
    project: Path, edit: Edit, passed: list[Result]
) -> None:
    edit("scale-v1.yaml", "::test_finite'", "::test_finite[a]'")
    edit("tests/test_scale.py", "def test_finite():", "def test_finite(case):")
    first = of(passed, "test")[0]
    for case, level in (("[a]", 2), ("[b]", 0), ("", 0)):
        ran = [replace(first, test=f"tests/test_scale.py::test_finite{case}")]
        assert standing(project, ran).levels[0] == level


@pytest.mark.parametrize("formal", ["len(x) > 0", "1 == 1", "ret > 0 or len(x) >= 0"])
def test_obligation_that_checks_nothing_counts_nothing(
    project: Path, edit: Edit, passed: list[Result], formal: str
) -> None:
    edit("scale-v1.yaml", "property: Doubles}", f"property: Doubles, formal: '{formal}'}}")
    found = standing(project, passed)
    assert (found.tested, found.bounded, found.levels) == ((True, False), (1.0, 0.0), (4, 0))
    assert [each.kind for each in found.doubts] == ["placeholder"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("def test_finite():", "def test_other():", "which is not there"),
        ("    assert scale(1) < 3", "    pass", "which tests nothing"),
        ("    assert scale(1) < 3", "    '''Later.'''\n    assert True", "which tests nothing"),
        ("    assert scale(1) < 3", "    raise NotImplementedError", "which tests nothing"),
        ("def test_finite", "@pytest.mark.skip\ndef test_finite", "which tests nothing"),
    ],
)
def test_test_that_tests_nothing_does_not_count_even_if_it_passed(
    project: Path, edit: Edit, passed: list[Result], old: str, new: str, says: str
) -> None:
    edit("tests/test_scale.py", old, new)
    found = standing(project, of(passed, "test"))
    assert (found.tested, found.levels) == ((False, True), (0, 3))
    (message,) = messages(project)
    assert message.startswith("scale-v1.yaml:14: test F-1 cites tests/test_scale.py::test_finite")
    assert says in message


def test_test_in_another_file_is_not_the_cited_one(project: Path, edit: Edit) -> None:
    edit("scale-v1.yaml", "test_scale.py::test_finite", "test_else.py::test_finite")
    assert standing(project).tested == (False, True)


def test_prose_cites_nothing(project: Path, edit: Edit) -> None:
    edit("scale-v1.yaml", "'tests/test_scale.py::test_finite'", "proptest with random vectors")
    assert "test F-1 names no test: 'proptest with random vectors'" in messages(project)[0]
    assert standing(project).tested == (False, True)
    assert standing(project, sources=False).tested == (True, True)


def test_tests_of_one_obligation_cover_one(project: Path, edit: Edit) -> None:
    edit("scale-v1.yaml", "rule: Doubles", "rule: Output is finite")
    assert standing(project).tested == (True, False)


def test_same_test_without_a_rule_covers_one(project: Path, edit: Edit) -> None:
    edit("scale-v1.yaml", "rule: Doubles", "rule: x")
    edit("scale-v1.yaml", "rule: Output is finite", "rule: y")
    assert standing(project).tested == (True, True)
    edit("scale-v1.yaml", "::test_doubles", "::test_finite")
    assert standing(project).tested == (True, False)


@pytest.mark.parametrize(
    ("claims", "ran", "found"),
    [
        ("l3_kani_proved: 2", False, []),
        ("l3_kani_proved: 2", True, []),
        ("l3_kani_proved: 3", False, ["l3_kani_proved claims 3, evidence shows 2"]),
        ("l4_lean_proved: 1", True, ["l4_lean_proved claims 1, evidence shows 0"]),
    ],
)
def test_count_above_the_evidence_is_a_doubt(
    project: Path, passed: list[Result], claims: str, ran: bool, found: list[str]
) -> None:
    path = project / "scale-v1.yaml"
    path.write_text(path.read_text() + f"verification_summary:\n  {claims}\n")
    said = messages(project, passed if ran else ())
    assert said == [f"scale-v1.yaml:21: verification_summary.{each}" for each in found]


def test_count_of_proofs_that_did_not_run_is_a_doubt_once_anything_ran(
    project: Path, passed: list[Result]
) -> None:
    path = project / "scale-v1.yaml"
    path.write_text(path.read_text() + "verification_summary: {l3_kani_proved: 2}\n")
    assert "evidence shows 0" in messages(project, of(passed, "test"))[0]


def test_obligation_that_anything_refutes_counts_nothing(
    project: Path, passed: list[Result]
) -> None:
    for what in ("F-2", "property::Doubles", "bounded::Doubles"):
        found = standing(project, turned(passed, what, "failed"))
        assert (found.tested, found.bounded) == ((True, False), (1.0, 0.0))
