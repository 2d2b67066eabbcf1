"""Which core serves, and why; asking for one that is missing never falls back."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tracepact.core import native_core, select, selected_core, using_core
from tracepact.errors import ConfigError


@pytest.fixture(autouse=True)
def _forget_choice() -> Iterator[None]:
    select._from_environment.cache_clear()
    yield
    select._from_environment.cache_clear()


@pytest.fixture
def without_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "_load", lambda: ImportError("no such file"))


@pytest.mark.parametrize("value", [None, "", "auto"])
def test_native_core_serves_where_it_loads(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("TRACEPACT_CORE", raising=False)
    else:
        monkeypatch.setenv("TRACEPACT_CORE", value)
    assert selected_core() == ("native", "the extension of this build loads")
    assert native_core() is not None


@pytest.mark.usefixtures("without_extension")
def test_python_core_serves_without_it_and_says_why_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("TRACEPACT_CORE", raising=False)
    with caplog.at_level(logging.WARNING, "tracepact"):
        for _ in range(3):
            assert selected_core() == (
                "python",
                "the native core cannot be loaded: no such file",
            )
    assert native_core() is None
    assert [r.getMessage() for r in caplog.records] == [
        "tracepact: the Python core serves, which is slower; "
        "the native core cannot be loaded: no such file"
    ]


def test_python_core_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_CORE", "python")
    assert selected_core() == ("python", "TRACEPACT_CORE=python")
    assert native_core() is None


@pytest.mark.usefixtures("without_extension")
def test_native_core_is_not_replaced_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_CORE", "native")
    with pytest.raises(
        ConfigError, match="TRACEPACT_CORE=native: the native core cannot be loaded: no such file"
    ):
        selected_core()


def test_unknown_core_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_CORE", "rust")
    with pytest.raises(ConfigError, match="=rust: no such core; use auto, native or python"):
        selected_core()


def test_block_chooses_for_what_is_made_inside_it() -> None:
    before = selected_core()
    with using_core("python"):
        assert selected_core() == ("python", "using_core('python')")
        with using_core("native"):
            assert native_core() is not None
        assert native_core() is None
    assert selected_core() == before
