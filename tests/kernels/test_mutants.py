"""Broken kernels are found by the contracts of the library; whole ones pass."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
ROOT = _HERE.parents[1]
# Tests are no package: mutants are found through the path, by the script as well.
sys.path.insert(0, str(_HERE))

from killing import broken_obligations  # noqa: E402
from mutants import MUTANTS, Mutant  # noqa: E402

from tracepact.kernels import reference  # noqa: E402


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_contract_kills_the_mutant(mutant: Mutant) -> None:
    assert broken_obligations(mutant, mutant.function)


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_kernel_survives_where_the_mutant_does_not(mutant: Mutant) -> None:
    """The arguments are lawful: it is the fault that is found."""
    kernel = reference(mutant.contract, mutant.equation)
    assert kernel is not None
    assert broken_obligations(mutant, kernel) == []


def test_page_lists_every_mutant_with_what_kills_it() -> None:
    """`python scripts/mutants.py > docs/mutants.md` makes the page anew."""
    path = ROOT / "scripts" / "mutants.py"
    spec = importlib.util.spec_from_file_location("mutants_page", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (ROOT / "docs" / "mutants.md").read_text() == script.page()
