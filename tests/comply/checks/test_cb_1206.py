"""CB-1206: only proofs that ran and passed count."""

from __future__ import annotations

from typing import Any

import pytest


def test_proof_that_passed_passes(tree: Any) -> None:
    tree.ran({"kind": "bounded"})
    assert tree.check("CB-1206") == ("passed", "1 of 1 obligation proved within bounds")


def test_no_proof_warns_and_says_what_to_run(tree: Any) -> None:
    status, said = tree.check("CB-1206")
    assert status == "warned"
    assert "pytest --tracepact --tracepact-bounded" in said


def test_some_proofs_but_too_few_fail(tree: Any) -> None:
    more = "".join(f"  - {{type: bound, property: p{n}}}\n" for n in range(9))
    tree.edit("contracts/twice-v1.yaml", "falsification_tests:", f"{more}falsification_tests:")
    tree.ran({"kind": "bounded"})
    status, said = tree.check("CB-1206")
    assert status == "failed"
    assert "10 % of the obligations are proved, 20 % asked for" in said


def test_as_many_proofs_as_asked_for_pass(tree: Any) -> None:
    more = "".join(f"  - {{type: bound, property: p{n}}}\n" for n in range(4))
    tree.edit("contracts/twice-v1.yaml", "falsification_tests:", f"{more}falsification_tests:")
    tree.ran({"kind": "bounded"})
    assert tree.check("CB-1206")[0] == "passed"


def test_refuted_proof_fails_even_beside_one_that_passed(tree: Any) -> None:
    tree.ran({"kind": "bounded"}, {"kind": "bounded", "outcome": "failed", "function": "demo:f"})
    status, said = tree.check("CB-1206")
    assert status == "failed"
    assert "a bounded proof refuted 'stays finite'" in said


def test_project_without_obligations_is_skipped(tree: Any) -> None:
    text = (tree.folder / "contracts/twice-v1.yaml").read_text()
    tree.write("contracts/twice-v1.yaml", text[: text.index("proof_obligations")])
    assert tree.check("CB-1206")[0] == "skipped"


@pytest.mark.parametrize(
    "result",
    [
        {"kind": "bounded", "outcome": "skipped"},
        {"kind": "property"},
        {"kind": "bounded", "obligation": "something else"},
        {"kind": "bounded", "contract": "other-v1"},
    ],
    ids=["undecided", "other kind", "other obligation", "other contract"],
)
def test_claims_and_other_results_prove_nothing(tree: Any, result: dict[str, str]) -> None:
    tree.edit(
        "contracts/twice-v1.yaml",
        "kani_harnesses:",
        "verification_summary: {total_obligations: 1, l3_kani_proved: 1}\nkani_harnesses:",
    )
    tree.ran(result)
    assert tree.check("CB-1206")[0] == "warned"


def test_proof_ends_with_the_code_that_it_was_about(tree: Any) -> None:
    tree.ran({"kind": "bounded"})
    tree.edit("src/demo/kernels.py", "2 * x", "3 * x")
    assert tree.check("CB-1206")[0] == "warned"
