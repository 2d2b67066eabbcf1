"""A binding that says `not_implemented` and a decorator contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracepact as tp
from tracepact.bindings.find import _bindings
from tracepact.errors import ConfigError

ENTRY = """\
bindings:
  - contract: softmax-kernel-v1.yaml
    equation: softmax
    module_path: {module}
    function: {function}
    status: {status}
"""


@pytest.fixture
def bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def write(*entries: dict[str, str]) -> None:
        text = "".join(
            ENTRY.format(**{"module": __name__, "function": "softmax"} | entry) for entry in entries
        )
        first, *others = text.split("bindings:\n")[1:]
        path = tmp_path / "binding.yaml"
        path.write_text("bindings:\n" + first + "".join(others))
        monkeypatch.setenv("TRACEPACT_BINDING", str(path))
        _bindings.cache_clear()

    return write


def softmax(x: Any) -> Any:
    return x


def decorate() -> Any:
    return tp.contract("softmax-kernel-v1", "softmax")(softmax)


def test_not_implemented_is_refused_with_the_place_of_the_entry(
    bind: Callable[..., None], tmp_path: Path
) -> None:
    bind({"status": "not_implemented"})
    with pytest.raises(ConfigError) as raised:
        decorate()
    assert str(raised.value) == (
        f"{tmp_path}/binding.yaml:2:5: the binding of softmax-kernel-v1/softmax says "
        f"not_implemented, but {__name__}.softmax is decorated with it; change its status to "
        "implemented, partial or pending, or remove the decorator"
    )


@pytest.mark.parametrize("status", ["implemented", "partial", "pending"])
def test_any_other_status_is_no_contradiction(bind: Callable[..., None], status: str) -> None:
    bind({"status": status})
    assert decorate().__tracepact__


def test_entry_of_the_function_itself_counts_more_than_that_of_another(
    bind: Callable[..., None],
) -> None:
    bind({"status": "not_implemented", "function": "other"}, {"status": "implemented"})
    assert decorate().__tracepact__


def test_entry_of_another_function_counts_where_it_has_none(bind: Callable[..., None]) -> None:
    bind({"status": "not_implemented", "function": "other"})
    with pytest.raises(ConfigError, match="says not_implemented"):
        decorate()


def test_package_without_a_binding_file_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACEPACT_BINDING", raising=False)
    assert decorate().__tracepact__
