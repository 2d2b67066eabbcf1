"""Claims about contract files of public repositories, where that corpus is at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.contracts import ContractRegistry, load_contract

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "contracts"
FILES = sorted(CORPUS.glob("**/*.yaml"))
pytestmark = pytest.mark.skipif(not FILES, reason="the corpus is not beside the repository")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_file_gives_a_contract_unless_it_is_a_binding(path: Path) -> None:
    contract, problems = load_contract(path)
    if path.stem.endswith("binding"):
        assert [problem.message for problem in problems] == ["no section of a contract"]
    else:
        assert contract is not None
        assert len(set(problems)) == len(problems)


def test_every_problem_has_line_and_column() -> None:
    problems = ContractRegistry.load(CORPUS).problems
    assert problems
    assert all(p.location.line >= 1 and (p.location.column or 0) >= 1 for p in problems)


def test_most_files_give_no_problem_of_structure() -> None:
    """The loader follows the wild: only what has no meaning for tracepact is reported."""
    clean = sum(not load_contract(path)[1] for path in FILES)
    assert clean / len(FILES) > 0.75


def test_every_tolerance_is_read_as_a_number() -> None:
    written = sum(path.read_text().count("\n    tolerance: ") for path in FILES)
    contracts = [load_contract(path)[0] for path in FILES]
    read = sum(o.tolerance is not None for c in contracts if c for o in c.obligations)
    assert written > 200
    assert read >= written
