"""`tracepact diff` prints changes with places, and fails where a version does not announce them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app
from tracepact.errors import ConfigError

ROOT = Path(__file__).parents[2]
OLD = """
metadata: {version: 1.0.0, description: A demo}
equations:
  e: {formula: 'y = x', postconditions: ['y <= 2', 'y >= 0']}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("old", OLD), ("new", OLD.replace("y <= 2", "1 >= y"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "demo-v1.yaml").write_text(text)
    return tmp_path


def diff(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["diff", *map(str, arguments)])


@pytest.mark.usefixtures("files")
def test_change_is_shown_with_both_places_and_fails() -> None:
    result = diff("old", "new")
    assert result.exit_code == 1
    assert result.stdout == (
        "demo-v1  1.0.0 → 1.0.0  major\n"
        "  major  postcondition tightened  e\n"
        "         - y <= 2  old/demo-v1.yaml:4:43\n"
        "         + 1 >= y  new/demo-v1.yaml:4:43\n"
        "\n"
        "new/demo-v1.yaml:2:12: version 1.0.0 does not announce major changes since 1.0.0\n"
        "  write 2.0.0, or take the changes back\n"
        "1 contract changed (1 major): a major release\n"
    )


def test_announced_change_passes(files: Path) -> None:
    path = files / "new" / "demo-v1.yaml"
    path.write_text(path.read_text().replace("1.0.0", "2.0.0"))
    assert diff("old", "new").exit_code == 0
    path.write_text(path.read_text().replace("2.0.0", "1.1.0"))
    assert diff("old", "new").exit_code == 1
    assert diff("old", "new", "--for", "callers").exit_code == 0


def test_what_is_on_one_side_only_says_where_it_is_missing(files: Path) -> None:
    (files / "new" / "demo-v1.yaml").write_text(OLD.replace(", 'y >= 0'", "").replace("A", "The"))
    (files / "new" / "more-v1.yaml").write_text(OLD)
    assert diff("old", "new").stdout.startswith(
        "demo-v1  1.0.0 → 1.0.0  major\n"
        "  major  postcondition removed  e\n"
        "         - y >= 0  old/demo-v1.yaml:4:53\n"
        "           not in new/demo-v1.yaml:4:25\n"
        "  patch  prose changed  metadata.description\n"
        "         - old/demo-v1.yaml:2:28\n"
        "         + new/demo-v1.yaml:2:28\n"
        "\n"
        "more-v1  new 1.0.0  minor\n"
        "  minor  contract added  more-v1\n"
        "         + new/more-v1.yaml:1:1\n"
    )


@pytest.mark.usefixtures("files")
def test_same_contracts_have_no_changes() -> None:
    result = diff("old", "old")
    assert (result.exit_code, result.stdout) == (
        0,
        "nothing changed in meaning from old to old\n",
    )


@pytest.mark.usefixtures("files")
def test_json_has_everything() -> None:
    data = json.loads(diff("old", "new", "--format", "json").stdout)
    assert (data["bump"], data["for"], data["old"]) == ("major", "both", "old")
    (contract,) = data["contracts"]
    assert (contract["stem"], contract["bump"]) == ("demo-v1", "major")
    (change,) = contract["changes"]
    assert (change["kind"], change["bump"]) == ("postcondition-tightened", "major")
    assert change["new"] == {"file": "new/demo-v1.yaml", "line": 4, "column": 43}
    assert "does not announce" in contract["findings"][0]["message"]


def test_texts_of_contracts_cannot_add_markup_or_lines(files: Path) -> None:
    path = files / "new" / "demo-v1.yaml"
    path.write_text(OLD.replace("y = x", "<img> | ](http://x)\\n\\e[31m").replace("'", '"'))
    text = diff("old", "new", "--format", "markdown").stdout
    row = next(line for line in text.splitlines() if "formula changed" in line)
    assert r"\<img\> \| \](http://x)" in row
    assert "\x1b" not in text + diff("old", "new").stdout


def test_git_revision_is_compared_with_the_files_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    if not (ROOT / ".git").exists():
        pytest.skip("not run from a git repository")
    result = diff("HEAD:src/tracepact/contracts/library")
    assert result.exit_code in (0, 1)
    assert "Traceback" not in result.output


def test_revision_that_looks_like_an_option_is_refused() -> None:
    result = diff("--", "--output=x")
    assert isinstance(result.exception, ConfigError)
    assert "no revision" in str(result.exception)
