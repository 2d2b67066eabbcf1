"""The page says everything that there is."""

from __future__ import annotations

import re
from pathlib import Path

from tracepact.testing import plugin
from tracepact.testing.relations import RELATIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text()


def test_every_option_and_setting_is_documented() -> None:
    source = Path(plugin.__file__).read_text()
    names = set(re.findall(r'"(--[a-z-]+|tracepact_[a-z_]+)"', source))
    assert len(names) > 8
    assert [name for name in sorted(names) if f"`{name}" not in PAGE] == []


def test_every_relation_is_documented_with_its_results() -> None:
    rows = {row.split("|")[1].strip(): row for row in PAGE.splitlines() if row.startswith("| ")}
    for type_, relations in RELATIONS.items():
        for relation in relations:
            for derived in relation.derived:
                assert f"`{derived.name}`" in rows[type_]
