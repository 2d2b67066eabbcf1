"""Documents are tests: every snippet runs, every command and public name is mentioned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tracepact
from tracepact.cli import app
from tracepact.errors import MissingExtraError

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SNIPPETS = [
    pytest.param(match[1], id=f"{page.stem}-{number}")
    for page in PAGES
    for number, match in enumerate(re.finditer(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]
TEXT = "\n".join(page.read_text() for page in PAGES)


@pytest.mark.model
@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippet_runs(snippet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    try:
        exec(compile(snippet, "<snippet>", "exec"), {"__name__": "snippet"})
    except (ImportError, MissingExtraError) as error:
        pytest.skip(str(error))


def test_every_command_is_documented() -> None:
    for command in app.app.registered_commands:
        assert command.callback is not None
        name = command.callback.__module__.rsplit(".", 1)[1]
        assert f"tracepact {name}" in TEXT


def test_every_public_name_is_documented() -> None:
    public = set(tracepact.__all__) - {"__version__"}
    assert [name for name in sorted(public) if not re.search(rf"\b{name}\b", TEXT)] == []


def test_relative_links_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
