"""The documented table is the one that counts."""

from __future__ import annotations

from pathlib import Path

from tracepact.drift.bump import Bump, Party
from tracepact.drift.changes import CHANGE_KINDS, change_table

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"


def test_page_has_the_table_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    assert text.partition("<!-- changes -->\n")[2].partition("<!-- /changes -->")[0] == (
        change_table()
    )


def test_both_parties_together_demand_what_the_one_that_is_harmed_more_does() -> None:
    for kind in CHANGE_KINDS.values():
        parts = (kind.bump(Party.CALLERS), kind.bump(Party.IMPLEMENTERS))
        assert kind.bump() is max(parts)
        assert kind.bump() is not Bump.NONE


def test_what_adds_a_promise_harms_implementers_and_what_takes_one_away_harms_callers() -> None:
    for name, kind in CHANGE_KINDS.items():
        what, _, how = name.partition("-")
        if what in ("postcondition", "obligation", "tolerance", "level") and how != "changed":
            stronger = how in ("added", "tightened", "raised")
            harmed = Party.IMPLEMENTERS if stronger else Party.CALLERS
            assert [
                p for p in (Party.CALLERS, Party.IMPLEMENTERS) if kind.bump(p) is Bump.MAJOR
            ] == [harmed]
