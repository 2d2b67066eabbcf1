"""The page of the documentation is what the checks say of themselves."""

from __future__ import annotations

from pathlib import Path

from tracepact.comply.catalogue import catalogue, index, pages, thresholds
from tracepact.comply.run import all_checks
from tracepact.comply.settings import THRESHOLDS

PAGE = Path(__file__).parents[2] / "docs" / "comply.md"
PAGES = PAGE.with_suffix("")


def test_every_check_has_a_page_that_is_made_from_it() -> None:
    assert {path.name: path.read_text("utf-8") for path in PAGES.iterdir()} == pages()
    assert set(pages()) == {f"{id_}.md" for id_ in all_checks()}


def test_page_has_the_thresholds_and_leads_to_every_check() -> None:
    assert thresholds() in PAGE.read_text("utf-8")
    assert index() in PAGE.read_text("utf-8")


def test_catalogue_has_every_check_and_threshold() -> None:
    page = catalogue()
    assert all(f"### {id_} {check.title}" in page for id_, check in all_checks().items())
    assert all(f"| `{each.key}` | {each.default:g} | {each.check} |" in page for each in THRESHOLDS)
