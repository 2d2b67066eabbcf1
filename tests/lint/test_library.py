"""Shipped contracts pass every rule; foreign ones are linted without a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracepact.contracts
from tracepact.lint.run import lint

LIBRARY = Path(tracepact.contracts.__file__).with_name("library")
TESTS = Path(__file__).parents[1]
CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "contracts"


def test_shipped_contracts_have_no_finding_and_cite_tests_that_exist() -> None:
    assert lint([LIBRARY], sources=(TESTS,)).open == []


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of foreign contracts is not here")
def test_findings_in_foreign_contracts_lie_inside_their_files() -> None:
    report = lint([CORPUS], sources=(CORPUS,))
    assert report.open
    for finding in report.open:
        place = finding.location
        assert 1 <= place.line <= len(report.files[place.file].lines)
        assert place.column is not None
        assert place.column >= 1
