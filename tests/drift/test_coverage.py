"""Nothing is covered by being written: a cell passes by a result, or a function that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tracepact.bindings import Binding, Bindings
from tracepact.contracts import Contract
from tracepact.contracts.load import parse_contract
from tracepact.drift.coverage import COLUMNS, Row, cover, share
from tracepact.evidence import Result
from tracepact.score import gather, read_sources
from tracepact.types import SourceLocation

TEXT = """
equations: {e: {formula: y = x}, f: {formula: z = x}}
proof_obligations:
  - {property: Is small, id: O-1, formal: y < 1, applies_to: [e]}
  - {property: Is finite, formal: isfinite(y)}
falsification_tests:
  - {id: F-1, rule: Is small, prediction: large is found, test: tests/test_a.py::test_small}
  - {id: F-2, rule: is  FINITE, prediction: NaN is found, test: tests/test_a.py::test_finite}
kani_harnesses:
  - {id: K-1, obligation: Is small, bound: 4, strategy: exhaustive, harness: t.py::test_k}
"""


@pytest.fixture
def contract() -> Contract:
    found, problems = parse_contract(TEXT.encode(), "demo-v1.yaml")
    assert found is not None
    assert problems == []
    return found


def bound(*equations: str, status: Any = "implemented") -> Bindings:
    place = SourceLocation("binding.yaml", 1, 1)
    entries = tuple(
        Binding(contract="demo-v1", equation=name, module_path="mod", function=f"run_{name}",
                status=status, location=place)
        for name in equations
    )  # fmt: skip
    return Bindings(path=Path("binding.yaml"), entries=entries)


def result(
    kind: Any, obligation: str, outcome: Any = "passed", test: str = "t", **more: str
) -> Result:
    return Result(test=test, kind=kind, outcome=outcome, contract="demo-v1",
                  obligation=obligation, **more)  # type: ignore[arg-type]  # fmt: skip


def states(rows: list[Row], index: int = 0) -> list[str]:
    return [cell.state for cell in rows[index].cells.values()]


def test_what_is_only_written_does_not_count(contract: Contract) -> None:
    rows = cover(contract, Bindings(path=None), None, gather([]))
    assert states(rows, 0) == ["not run", "none", "not run", "none"]
    assert states(rows, 1) == ["not run", "none", "none", "none"]
    assert share(rows) == 0


def test_each_kind_of_result_fills_its_column(contract: Contract) -> None:
    results = [
        result("falsification", "F-1"),
        result("property", "is small"),
        result("bounded", "O-1"),
    ]
    rows = cover(contract, bound("e"), None, gather(results))
    assert states(rows, 0) == ["passed"] * 4
    assert rows[0].missing == ()
    assert states(rows, 1) == ["not run", "none", "none", "partial"]
    assert (share(rows), share(rows, ["property"])) == (50.0, 50.0)


def test_cited_test_counts_when_it_ran_itself_or_a_case_of_it(contract: Contract) -> None:
    other = "tests/test_a.py::test_small"
    for test in (other, f"{other}[1]"):
        found = cover(
            contract,
            bound(),
            None,
            gather([Result(test=test, kind="test", outcome="passed")]),
        )
        assert states(found)[0] == "passed"
    longer = Result(test=f"{other}er", kind="test", outcome="passed")
    assert states(cover(contract, bound(), None, gather([longer])))[0] == "not run"


def test_failure_outweighs_a_pass_and_says_why(contract: Contract) -> None:
    results = [
        result("property", "Is small", test="a"),
        result("property", "Is small", "failed", test="b", detail="x = 7"),
        result("bounded", "Is small", "skipped", test="c", detail="no solver"),
    ]
    (row, _) = cover(contract, bound("e"), None, gather(results))
    assert (row.cells["property"].state, row.cells["property"].reason) == ("failed", "x = 7")
    assert row.missing == (
        "falsification test: written, but nothing says that it passed",
        "property test: x = 7",
        "bounded proof: no solver",
    )


def test_results_of_another_contract_do_not_count(contract: Contract) -> None:
    other = Result(
        test="t", kind="property", outcome="passed", contract="other-v1", obligation="Is small"
    )
    assert states(cover(contract, bound(), None, gather([other])))[1] == "none"


def test_binding_counts_by_what_is_finished_and_there(contract: Contract, tmp_path: Path) -> None:
    assert states(cover(contract, bound("e", status="partial"), None, gather([])))[3] == "partial"
    assert states(cover(contract, bound("e", status="pending"), None, gather([])))[3] == "none"
    bindings = bound("e", "f")
    assert states(cover(contract, bindings, None, gather([])), 1)[3] == "passed"
    (tmp_path / "mod.py").write_text("def run_e(x):\n    return x\n")
    sources = read_sources(tmp_path, [contract], bindings)
    rows = cover(contract, bindings, sources, gather([]))
    assert (states(rows, 0)[3], states(rows, 1)[3]) == ("passed", "partial")
    assert "f" in rows[1].cells["binding"].reason


def test_function_that_is_not_what_its_binding_says_failed(contract: Contract) -> None:
    broken = Result(
        test="i", kind="interface", outcome="failed", contract="demo-v1", equation="e",
        function="mod:run_e", detail="takes no x",
    )  # fmt: skip
    (row, _) = cover(contract, bound("e"), None, gather([broken]))
    assert (row.cells["binding"].state, row.cells["binding"].reason) == ("failed", "takes no x")


def test_cited_test_that_hypothesis_runs_is_a_property_test(
    contract: Contract, tmp_path: Path
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(
        "from hypothesis import given, strategies as st\n"
        "@given(st.integers())\ndef test_small(x):\n    assert x < len([x])\n"
        "def test_finite():\n    assert abs(1) == 1\n"
    )
    sources = read_sources(tmp_path, [contract], bound())
    ran = [
        Result(test=f"tests/test_a.py::{name}", kind="test", outcome="passed")
        for name in ("test_small", "test_finite")
    ]
    rows = cover(contract, bound(), sources, gather(ran))
    assert [states(rows, index)[:2] for index in (0, 1)] == [
        ["passed", "passed"],
        ["passed", "none"],
    ]


def test_kernel_without_obligations_is_not_covered() -> None:
    for text, count in (("equations: {e: {formula: y}}", 1), ("metadata: {kind: schema}", 0)):
        found = parse_contract(text.encode(), "bare-v1.yaml")[0]
        assert found is not None
        rows = cover(found, bound(), None, gather([]))
        assert len(rows) == count
        assert share(rows) == (0.0 if count else 100.0)
        assert all(len(row.missing) == len(COLUMNS) for row in rows)


def test_obligation_that_says_next_to_nothing_is_not_covered_by_passing() -> None:
    text = TEXT.replace("formal: y < 1", "formal: len(y) > 0")
    found = parse_contract(text.encode(), "demo-v1.yaml")[0]
    assert found is not None
    ran = gather([result("property", "Is small"), result("bounded", "Is small")])
    row = cover(found, bound("e"), None, ran)[0]
    assert [cell.state for cell in row.cells.values()] == ["none", "none", "none", "passed"]
    assert "the obligation" in row.missing[0]


def test_result_of_a_cited_test_that_is_gone_does_not_count(
    contract: Contract, tmp_path: Path
) -> None:
    ran = gather([Result(test="tests/test_a.py::test_small", kind="test", outcome="passed")])
    sources = read_sources(tmp_path, [contract], bound())
    assert states(cover(contract, bound(), sources, ran))[0] == "none"
