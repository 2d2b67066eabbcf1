"""A score is the weighted mean of five dimensions, and says what raises it most."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tracepact.bindings import load_bindings
from tracepact.contracts import ContractRegistry
from tracepact.evidence import Result
from tracepact.score import (
    ContractScore,
    find_placeholders,
    gather,
    read_sources,
    score_codebase,
    score_contract,
)
from tracepact.score.contract import grade_of

Edit = Callable[[str, str, str], None]


def score(
    project: Path,
    ran: Iterable[Result] = (),
    *,
    binding: str = "binding.yaml",
    sources: bool = True,
) -> ContractScore:
    registry = ContractRegistry.load(project)
    contract = registry.contracts["scale-v1"]
    bindings = load_bindings(project / binding)
    found = read_sources(project, [contract], bindings) if sources else None
    return score_contract(
        contract,
        bindings=bindings,
        sources=found,
        ran=gather(ran),
        known=registry.contracts,
        placeholders=find_placeholders(registry.contracts.values()),
    )


def test_total_is_the_weighted_mean(project: Path) -> None:
    found = score(project)
    assert list(found.dimensions.values()) == [1.0, 1.0, pytest.approx(0.95), 0.0, 1.0]
    assert found.total == pytest.approx(0.2 + 0.25 + 0.25 * 0.95 + 0.2)
    assert found.grade == "B"


def test_advice_names_the_largest_gain_first(project: Path, edit: Edit) -> None:
    edit("scale-v1.yaml", "falsification_tests:", "more:")
    first, second, third = score(project).advice
    assert (first.dimension, second.dimension, third.dimension) == (
        "falsification", "theorem", "bounded",
    )  # fmt: skip
    assert first.gain == pytest.approx(0.25)
    assert "'Output is finite' and 1 more" in first.text


def test_without_a_binding_file_the_other_weights_are_scaled_up(project: Path) -> None:
    found = score(project, binding="none.yaml")
    assert found.dimensions["binding"] is None
    assert found.total == pytest.approx((0.2 + 0.25 + 0.25 * 0.95) / 0.8)


@pytest.mark.parametrize(
    ("status", "value"),
    [("implemented", 1.0), ("partial", 0.5), ("pending", 0.0), ("not_implemented", 0.0)],
)
def test_binding_counts_as_far_as_it_is(
    project: Path, edit: Edit, status: str, value: float
) -> None:
    edit("binding.yaml", "status: implemented", f"status: {status}")
    assert score(project).dimensions["binding"] == value


def test_claimed_function_that_is_absent_counts_nothing(project: Path, edit: Edit) -> None:
    edit("binding.yaml", "function: scale", "function: rescale")
    assert score(project, sources=False).dimensions["binding"] == 1.0
    found = score(project)
    assert found.dimensions["binding"] == 0.0
    assert "kernels:rescale is claimed as implemented" in found.findings[0].message


def test_other_kinds_need_no_functions_and_no_phases(project: Path, edit: Edit) -> None:
    edit("scale-v1.yaml", "version: 1.0.0", "version: 1.0.0, kind: schema")
    edit("scale-v1.yaml", "kernel_structure:", "else:")
    found = score(project, binding="none.yaml")
    assert found.dimensions["specification"] == pytest.approx(1.0)
    assert (found.dimensions["theorem"], found.dimensions["binding"]) == (0.5, 1.0)


def test_unknown_dependency_costs_its_points(project: Path, edit: Edit) -> None:
    edit("scale-v1.yaml", "version: 1.0.0", "version: 1.0.0, depends_on: [nowhere-v1]")
    assert score(project).dimensions["specification"] == pytest.approx(0.95)


def test_empty_contract_is_worth_nothing_and_does_not_fail(tmp_path: Path) -> None:
    (tmp_path / "scale-v1.yaml").write_text("equations: {}\n")
    found = score(tmp_path, sources=False)
    assert (found.grade, found.checks) == ("F", 0.0)


@pytest.mark.parametrize(
    ("total", "grade"),
    [(1.0, "A"), (0.2 + 0.25 + 0.25 + 0.2, "A"), (0.89, "B"), (0.6, "C"), (0.4, "D"), (0.39, "F")],
)
def test_grade(total: float, grade: str) -> None:
    assert grade_of(total) == grade


def test_codebase_counts_bindings_that_lead_nowhere_as_stale(
    project: Path, edit: Edit, passed: list[Result]
) -> None:
    edit(
        "binding.yaml",
        "bindings:\n",
        "bindings:\n  - {contract: scale-v1, equation: scales, module_path: kernels, "
        "function: scale, status: partial}\n",
    )
    registry = ContractRegistry.load(project)
    bindings = load_bindings(project / "binding.yaml")
    sources = read_sources(project, registry.contracts.values(), bindings)
    found = score_codebase(registry.contracts, [score(project, passed)], bindings, sources)
    assert found is not None
    assert found.parts["contract_coverage"] == 1.0
    assert found.parts["binding_completeness"] == 0.75
    assert found.parts["proof_depth"] == 0.8
    assert found.parts["freshness"] == 0.5
    assert "did you mean 'scale'" in found.findings[0].hint
    none = load_bindings(project / "none.yaml")
    assert score_codebase(registry.contracts, [score(project)], none, sources) is None


def test_everything_proved_but_no_theorem_is_just_an_a(project: Path, passed: list[Result]) -> None:
    found = score(project, passed)
    assert (found.grade, found.level) == ("A", 4)
    assert found.total == pytest.approx(0.9)
    assert [each.dimension for each in found.advice] == ["theorem"]


# -- each dimension, gamed -----------------------------------------------------------------------

MORE = "  more{}: {{formula: {}, domain: {}, invariants: [{}], preconditions: [{}]}}\n"


def add_equations(project: Path, *texts: tuple[str, str, str, str]) -> None:
    path = project / "scale-v1.yaml"
    more = "".join(MORE.format(i, *(repr(t) for t in each)) for i, each in enumerate(texts))
    path.write_text(path.read_text().replace("equations:\n", f"equations:\n{more}"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (("TODO", "tbd", "n/a", "len(x) > 0"), 1 - 0.6 * 5 / 6),
        (("placeholder", "any", "!x.is_empty()", "len(x) > 0"), 1 - 0.6 * 5 / 6),
        (("...", "-", "true", "len(x) > 0"), 1 - 0.6 * 5 / 6),
        # The same everywhere counts once; equations may well share a domain.
        (("ret = x", "x [n]", "finite", "len(x) > 0"), 1 - 0.45 * 4 / 6),
    ],
)
def test_boilerplate_specifies_nothing(
    project: Path, text: tuple[str, str, str, str], value: float
) -> None:
    add_equations(project, *[text] * 5)
    found = score(project)
    assert found.dimensions["specification"] == pytest.approx(value)
    assert found.checks == pytest.approx((1 + 5 * 0.1) / 6)
    assert len(found.placeholders) == 5


def test_section_and_references_without_content_count_nothing(project: Path, edit: Edit) -> None:
    edit("scale-v1.yaml", "phases: [{name: scaling}]", "phases: [{name: TODO}, {}]")
    edit("scale-v1.yaml", "references: [a paper]", "references: [TBD]")
    assert score(project).dimensions["specification"] == pytest.approx(0.75)


def test_kernel_without_obligations_has_nothing_tested_and_nothing_proved(
    project: Path, edit: Edit
) -> None:
    edit("scale-v1.yaml", "proof_obligations:", "others:")
    found = score(project)
    assert (found.dimensions["falsification"], found.dimensions["bounded"]) == (0.0, 0.0)


def test_placeholder_obligations_cannot_raise_falsification_and_proof(
    project: Path, edit: Edit, passed: list[Result]
) -> None:
    edit("scale-v1.yaml", "property: Doubles}", "property: Doubles, formal: len(x) > 0}")
    found = score(project, passed)
    assert (found.dimensions["falsification"], found.dimensions["bounded"]) == (0.5, 0.5)
    assert found.level == 1


def test_theorem_that_is_only_claimed_counts_nothing(project: Path, edit: Edit) -> None:
    lean = "lean: {theorem: Scale.doubles, status: proved}"
    edit("scale-v1.yaml", "property: Doubles}", f"property: Doubles, {lean}}}")
    assert score(project).dimensions["theorem"] == 0.0
    assert score(project, sources=False).dimensions["theorem"] == 0.0


def test_bound_function_that_does_nothing_counts_nothing(project: Path, edit: Edit) -> None:
    edit("kernels.py", "return 2 * x", "raise NotImplementedError")
    found = score(project)
    assert found.dimensions["binding"] == 0.0
    assert "is claimed as implemented, but does nothing" in found.findings[0].message


def test_other_kind_does_not_hide_what_is_bound_and_absent(project: Path, edit: Edit) -> None:
    edit("scale-v1.yaml", "version: 1.0.0", "version: 1.0.0, kind: schema")
    edit("binding.yaml", "status: implemented", "status: pending")
    assert score(project).dimensions["binding"] == 0.0


def test_same_binding_twice_and_one_of_no_equation_do_not_raise_binding(
    project: Path, edit: Edit
) -> None:
    entry = (project / "binding.yaml").read_text().removeprefix("bindings:\n")
    pending = entry.replace("function: scale", "function: other").replace("implemented", "pending")
    unknown = entry.replace("equation: scale", "equation: other")
    (project / "binding.yaml").write_text("bindings:\n" + entry * 3 + pending + unknown)
    assert score(project).dimensions["binding"] == pytest.approx(1 / 3)
