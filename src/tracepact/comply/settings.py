"""What a project asks of itself: `[tool.tracepact.comply]` of pyproject.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tracepact.bindings.find import tool_settings
from tracepact.contracts.problem_log import did_you_mean
from tracepact.errors import ConfigError

_WHERE: Final = "pyproject.toml [tool.tracepact.comply]"


@dataclass(frozen=True, slots=True)
class Threshold:
    """One number that a project may choose.

    Attributes:
        most: Largest value; percentages end at 100.
    """

    key: str
    default: float
    check: str
    meaning: str
    most: float = 100


THRESHOLDS: Final = (
    Threshold("min-score", 0.7, "CB-1200", "mean score of the contracts, below: warn", 1),
    Threshold("min-named-percent", 50, "CB-1202", "of critical functions under a contract"),
    Threshold("min-interfaces", 10, "CB-1204", "interface tests that passed", 100_000),
    Threshold("min-bounded-percent", 20, "CB-1206", "of obligations with a proof that passed"),
    Threshold("max-age-days", 90, "CB-1207", "age of a contract whose code changed", 100_000),
    Threshold("min-existing-percent", 80, "CB-1208", "of bound functions that are there"),
    Threshold("min-kernels", 10, "CB-1209", "kernels whose interface test passed", 13),
    Threshold("min-kernels-warned", 5, "CB-1209", "kernels, below: fail", 13),
    Threshold("min-diversity-percent", 30, "CB-1210", "different preconditions"),
    Threshold("max-placeholder-only-percent", 5, "CB-1210", "of equations"),
    Threshold("max-placeholders-percent", 50, "CB-1211", "of predicates"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Which checks run, where things are, and how much is enough.

    Attributes:
        select: Ids, beginnings of ids or names of checks; empty for all.
        contracts: Folders and files, relative to the project; empty: they are looked for.
        sources: The same of the code; empty: `src`, else the project.
        not_critical: Names of functions, with `*`, that CB-1202 leaves out.
        lint_fails: Whether errors of lint fail CB-1201, too.
        thresholds: By key of `THRESHOLDS`.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    contracts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    not_critical: tuple[str, ...] = ()
    lint_fails: bool = False
    thresholds: Mapping[str, float] = field(
        default_factory=lambda: {each.key: each.default for each in THRESHOLDS}
    )


def read_settings(project: Path) -> Settings:
    """The settings of the project in a folder; the defaults where it has none.

    Raises:
        ConfigError: A key is unknown or has a value of the wrong type.
    """
    found = tool_settings(project).get("comply", {})
    if not isinstance(found, dict):
        raise ConfigError(f"{_WHERE}: expected a table")
    lists = ("select", "ignore", "contracts", "sources", "not-critical")
    known = [*lists, "lint-fails", *(each.key for each in THRESHOLDS)]
    for key in found:
        if key not in known:
            raise ConfigError(f"{_WHERE}: unknown key {key!r}; {did_you_mean(key, known)}")
    lint_fails = found.get("lint-fails", False)
    if not isinstance(lint_fails, bool):
        raise ConfigError(f"{_WHERE}: lint-fails must be true or false")
    texts = {key.replace("-", "_"): _texts(found, key) for key in lists}
    thresholds = {each.key: _number(found, each) for each in THRESHOLDS}
    return Settings(lint_fails=lint_fails, thresholds=thresholds, **texts)


def _texts(found: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = found.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ConfigError(f"{_WHERE}: {key} must be a list of texts, as ['CB-1203']")
    return tuple(value)


def _number(found: Mapping[str, object], threshold: Threshold) -> float:
    value = found.get(threshold.key, threshold.default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, int | float) or not is_number or not 0 <= value <= threshold.most:
        most = f"{threshold.most:g}"
        raise ConfigError(f"{_WHERE}: {threshold.key} must be a number from 0 to {most}")
    return float(value)
