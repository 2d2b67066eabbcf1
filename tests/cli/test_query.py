"""`tracepact query` finds places, narrows them down, and says what it does not know."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tracepact.cli.app import app
from tracepact.errors import ConfigError

BINDING = Path(__file__).parents[2] / "src" / "tracepact" / "binding.yaml"


def query(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["query", *map(str, arguments)])


def hits(*arguments: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(query(*arguments, "--format", "json").stdout)["hits"]
    return found


def test_hit_is_shown_with_its_text_and_place() -> None:
    lines = query("rows sum to one", "--in", "obligation", "--limit", "1").stdout.splitlines()
    assert lines[0] == "softmax-kernel-v1  obligation (conservation)"
    assert lines[1] == "  Output sums to 1"
    assert re.search(r"softmax-kernel-v1\.yaml:\d+:15$", lines[2])


def test_filters_narrow_down_with_and_without_words() -> None:
    assert {hit["type"] for hit in hits("--type", "conservation")} == {"conservation"}
    assert {hit["part"] for hit in hits("finite", "--in", "test", "--in", "harness")} <= {
        "test",
        "harness",
    }
    assert all("shifted" in hit["fields"] for hit in hits("--field", "shifted"))
    assert hits("--kind", "kernel", "--in", "contract")


def test_bound_and_unbound_share_all_equations() -> None:
    ask = ("--in", "equation", "--limit", "1000", "--binding", BINDING)
    names = [
        {(hit["contract"], hit["name"]) for hit in hits(*ask, flag)}
        for flag in ("--bound", "--unbound")
    ]
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]


def test_nothing_found_fails() -> None:
    result = query("zzzz")
    assert result.exit_code == 1
    assert "nothing found" in result.stdout


def test_long_text_is_cut_around_the_word(tmp_path: Path) -> None:
    words = " ".join(["lorem"] * 100)
    (tmp_path / "a-v1.yaml").write_text(f"metadata: {{description: '{words} needle {words}'}}\n")
    line = query("needle", "--contracts", tmp_path).stdout.splitlines()[1]
    assert line.startswith("  …")
    assert "needle" in line
    assert line.endswith("…")
    assert len(line) < 170


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to look for"),
        (["  "], "nothing to look for"),
        (["x", "--type", "bond"], "did you mean 'bound'"),
        (["x", "--kind", "kernle"], "did you mean 'kernel'"),
        (["x", "--field", "shfted"], "did you mean 'shifted'"),
        (["x", "--bound"], "need --binding"),
        (["x", "--binding", "nowhere.yaml"], "does not exist"),
    ],
)
def test_bad_call_says_what_to_do(arguments: list[str], says: str) -> None:
    result = query(*arguments)
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)
