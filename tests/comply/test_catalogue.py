"""The page of the documentation is what the checks say of themselves."""

from __future__ import annotations

from pathlib import Path

from tracepact.comply.catalogue import catalogue
from tracepact.comply.run import all_checks
from tracepact.comply.settings import THRESHOLDS

PAGE = Path(__file__).parents[2] / "docs" / "comply.md"


def test_page_has_every_check_as_the_catalogue_says_it() -> None:
    assert catalogue() in PAGE.read_text("utf-8")


def test_catalogue_has_every_check_and_threshold() -> None:
    page = catalogue()
    assert all(f"### {id_} {check.title}" in page for id_, check in all_checks().items())
    assert all(f"| `{each.key}` | {each.default:g} | {each.check} |" in page for each in THRESHOLDS)
