"""The bar is for people who wait; nothing of it gets into a file or a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tracepact.cli import progress


def shown(seconds_an_item: float, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80)
    seen = []
    for item in progress.shown(range(4), "linting", console):
        seen.append(item)
        now[0] += seconds_an_item
    assert seen == [0, 1, 2, 3]
    return text.getvalue()


def test_bar_appears_on_a_terminal_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "linting" in shown(0.6, monkeypatch, terminal=True)


def test_no_bar_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "linting" not in shown(0.01, monkeypatch, terminal=True)


def test_no_bar_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(60.0, monkeypatch, terminal=False) == ""
