"""Which core serves, and why; asking for one that is missing never falls back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tracepact.core import selected_core
from tracepact.errors import ConfigError


@pytest.fixture(autouse=True)
def _forget_choice() -> Iterator[None]:
    selected_core.cache_clear()
    yield
    selected_core.cache_clear()


@pytest.mark.parametrize("value", [None, "", "auto"])
def test_default_is_the_python_core_and_says_why(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("TRACEPACT_CORE", raising=False)
    else:
        monkeypatch.setenv("TRACEPACT_CORE", value)
    assert selected_core() == ("python", "this build has no native core")


def test_python_core_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_CORE", "python")
    assert selected_core() == ("python", "TRACEPACT_CORE=python")


def test_native_core_is_not_replaced_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_CORE", "native")
    with pytest.raises(ConfigError, match="TRACEPACT_CORE=native: this build has no native core"):
        selected_core()


def test_unknown_core_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPACT_CORE", "rust")
    with pytest.raises(ConfigError, match="'rust' is not a core; use auto, native or python"):
        selected_core()
