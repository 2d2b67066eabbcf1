"""What a project wants linted: `[tool.tracepact.lint]` of pyproject.toml, and selections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tracepact.bindings.find import tool_settings
from tracepact.contracts.model import ENFORCEMENT_LEVELS
from tracepact.contracts.problem_log import did_you_mean
from tracepact.errors import ConfigError
from tracepact.lint.gates._base import MIN_COVERAGE_PERCENT
from tracepact.score import GRADES

_KEYS = (
    "select",
    "ignore",
    "min-coverage",
    "min-level",
    "min-score",
    "source",
    "binding",
    "baseline",
    "strict",
)

_EXAMPLES = {"select": "'PV-VAL', 'audit'", "ignore": "'PV-ENF-001'", "source": "'src', 'tests'"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Which rules run, as ids, beginnings of ids, or names of gates, and on what.

    The command line takes what it is not given from here; `lint` itself has arguments for it.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    min_coverage_percent: float = MIN_COVERAGE_PERCENT
    min_score: float = 0.0
    min_level: str = ""
    sources: tuple[Path, ...] = ()
    binding: Path | None = None
    baseline: Path | None = None
    strict: bool = False


def read_settings(project: Path) -> Settings:
    """The settings of the project in a folder; the defaults where it has none.

    Raises:
        ConfigError: A key is unknown or has a value of the wrong type.
    """
    found = tool_settings(project).get("lint", {})
    where = "pyproject.toml [tool.tracepact.lint]"
    if not isinstance(found, dict):
        raise ConfigError(f"{where}: expected a table")
    for key in found:
        if key not in _KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}; {did_you_mean(key, _KEYS)}")
    percent = found.get("min-coverage", MIN_COVERAGE_PERCENT)
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise ConfigError(f"{where}: min-coverage must be a number from 0 to 100")
    level, strict = found.get("min-level", ""), found.get("strict", False)
    if level not in ("", *ENFORCEMENT_LEVELS):
        hint = did_you_mean(str(level), ENFORCEMENT_LEVELS)
        raise ConfigError(f"{where}: unknown min-level {level!r}; {hint}")
    if not isinstance(strict, bool):
        raise ConfigError(f"{where}: strict must be true or false")
    return Settings(
        select=_texts(found, "select", where),
        ignore=_texts(found, "ignore", where),
        min_coverage_percent=float(percent),
        min_score=read_score(found.get("min-score", 0.0), where),
        min_level=level,
        sources=tuple(project / name for name in _texts(found, "source", where)),
        binding=_path(found, "binding", project, where),
        baseline=_path(found, "baseline", project, where),
        strict=strict,
    )


def _path(found: Mapping[str, object], key: str, project: Path, where: str) -> Path | None:
    value = found.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: {key} must be the name of a file")
    return project / value


def read_score(value: object, where: str) -> float:
    """A least score, given as a number from 0 to 1 (also as text) or as the letter of a grade.

    Raises:
        ConfigError: It is neither.
    """
    for least, letter in GRADES:
        if value == letter:
            return least
    try:
        score = float(value) if isinstance(value, str | int | float) else -1.0
    except ValueError:
        score = -1.0
    if isinstance(value, bool) or not 0 <= score <= 1:
        letters = ", ".join(letter for _, letter in GRADES)
        raise ConfigError(f"{where}: a score must be a number from 0 to 1, or one of {letters}")
    return score


def _texts(found: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
    value = found.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{where}: {key} must be a list of texts, as [{_EXAMPLES[key]}]")
    return tuple(value)


def chosen(settings: Settings, gates: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Ids of the rules that run.

    Args:
        settings: Selections; an empty `select` is everything.
        gates: Ids of the rules by the name of their gate.

    Raises:
        ConfigError: A selection matches no rule.
    """
    every = {rule for rules in gates.values() for rule in rules}

    def matching(selectors: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for selector in selectors:
            matched = set(gates.get(selector, ())) | {
                rule for rule in every if selector and rule.startswith(selector)
            }
            if not matched:
                hint = did_you_mean(selector, [*every, *gates])
                raise ConfigError(f"no rule or gate {selector!r}; {hint}")
            found |= matched
        return found

    return frozenset((matching(settings.select) or every) - matching(settings.ignore))
