"""What ran, and what came of it: the file between test runs and those who judge contracts by it.

A result counts only as long as the files that it rests on are what they were when it ran.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from tracepact.bindings.find import tool_settings
from tracepact.contracts.files import display_name, read_bytes
from tracepact.contracts.problem_log import ProblemLog
from tracepact.errors import ConfigError

DEFAULT_FILE: Final = ".tracepact/evidence.json"
"""Relative to the project's folder."""

Kind: TypeAlias = Literal["test", "interface", "falsification", "property", "bounded"]
Outcome: TypeAlias = Literal["passed", "failed", "skipped"]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One thing that ran, or that could not run.

    Attributes:
        test: Its name, unique in the file: a pytest node id.
        kind: `test` is any other test of the project, as contracts cite them.
        outcome: `skipped` is also what could not be decided.
        contract: Stem; "" for other tests.
        equation: "" for other tests, and where it is about the whole contract.
        obligation: The property of the obligation, or the id of the falsification test.
        function: `module:qualname` of what was tested.
        detail: Method and number of cases of what passed; why it was skipped or failed.
        files: What it rests on, relative to the project's folder, with `/`.
    """

    test: str
    kind: Kind
    outcome: Outcome
    contract: str = ""
    equation: str = ""
    obligation: str = ""
    function: str = ""
    detail: str = ""
    files: tuple[str, ...] = ()


def evidence_file(project: Path) -> Path:
    """Where a project has its evidence: what `[tool.tracepact] evidence` names, else the default.

    Raises:
        ConfigError: The setting is no path.
    """
    named = tool_settings(project).get("evidence", DEFAULT_FILE)
    if not isinstance(named, str):
        raise ConfigError("pyproject.toml [tool.tracepact]: evidence must be the name of a file")
    return project / named


def load_evidence(path: Path, project: Path) -> tuple[Result, ...]:
    """The results in a file that still count; none where there is no file.

    Args:
        path: The file.
        project: Folder that the names in it are relative to.

    Raises:
        ConfigError: The file is there, but is no evidence file.
    """
    log = ProblemLog(display_name(path))
    if not path.exists():
        return ()
    data = read_bytes(path, log)
    try:
        content = json.loads(data or b"")
        if content["version"] != _VERSION:
            raise ValueError(f"version {content['version']!r}")
        digests = dict(content["files"])
        results = [_result(entry) for entry in content["results"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"{log.file} is no evidence file ({error}); remove it and run the tests again"
        raise ConfigError(message) from None
    digest = cache(lambda name: _digest(project / name))
    return tuple(
        result
        for result in results
        if all(name in digests and digests[name] == digest(name) for name in result.files)
    )


def write_evidence(path: Path, project: Path, results: Iterable[Result]) -> None:
    """Write results; earlier ones of other tests stay as long as they count.

    The file appears whole or not at all.

    Raises:
        ConfigError: A file of that name is there and is something else.
        OSError: It cannot be written.
    """
    found = {result.test: result for result in load_evidence(path, project)}
    found |= {result.test: result for result in results}
    names = sorted({name for result in found.values() for name in result.files})
    content: Mapping[str, object] = {
        "version": _VERSION,
        "files": {name: _digest(project / name) for name in names},
        "results": [asdict(found[test]) for test in sorted(found)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    os.replace(part, path)


def _result(entry: Mapping[str, object]) -> Result:
    fields = dict(entry)
    names = fields.pop("files", [])
    if not (
        isinstance(names, list) and all(isinstance(n, str) for n in (*names, *fields.values()))
    ):
        raise ValueError("a result holds something else than text")
    if fields["kind"] not in get_args(Kind) or fields["outcome"] not in get_args(Outcome):
        raise ValueError(f"{fields['kind']} {fields['outcome']}")
    return Result(files=tuple(names), **fields)  # type: ignore[arg-type]  # checked above


def _digest(path: Path) -> str | None:
    data = read_bytes(path, ProblemLog(display_name(path)))
    return None if data is None else hashlib.sha256(data).hexdigest()
