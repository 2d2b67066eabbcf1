"""From what a finding proposes to edits of its file: at known places, so that the rest stays.

Nothing is written anew from the parsed contract. Comments, quotes, order and line ends are those
of the author. An edit whose place does not hold the expected text is dropped.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracepact.contracts import parse_contract
from tracepact.contracts.yaml_nodes import MapNode, ScalarNode
from tracepact.errors import ConfigError
from tracepact.lint.rule import Finding
from tracepact.lint.run import Report
from tracepact.lint.source import LintFile, printable, relative

_MOST_ROUNDS: Final = 5
"""A correction may uncover the next mistake, as in a section whose name was unknown."""
_LEAST_LETTERS: Final = 4
_PLAIN: Final = re.compile(r"[A-Za-z_][\w./-]*(?: [\w./-]+)*\Z", re.ASCII)
_WORDS: Final = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the text between two places, lines and columns in characters from 1, by another.

    It is `safe` if it says what was plainly meant, and leaves no blank for the author to fill.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    safe: bool


def edit_of(finding: Finding, file: LintFile) -> Edit | None:
    """The edit that carries out the remedy of a finding; None where it has none that fits."""
    remedy, place = finding.remedy, finding.location
    line, column = place.line, place.column or 1
    if remedy is None or not line <= len(file.lines):
        return None
    if remedy.how == "remove":
        return _without_comment(file, line, column)
    if remedy.how == "add":
        node = file.map_at(place)
        return None if node is None else _with_field(file, node, remedy.text)
    found = file.scalar_at(place)
    return None if found is None else _with_scalar(file, *found, remedy.text)


def _with_scalar(file: LintFile, node: ScalarNode, owner: MapNode | None, new: str) -> Edit | None:
    if not node.verbatim or node.style in ("|", ">") or (owner and new in owner.entries):
        return None
    line, column = node.line, node.column + node.text_offset
    end = column + len(node.text)
    if file.lines[line - 1][column - 1 : end - 1] != node.text or not new.isprintable():
        return None
    plain, safe = _PLAIN.match(new) is not None, is_slip(node.text, new)
    if node.style == "'":
        new = new.replace("'", "''")
    elif node.style == '"':
        new = new.replace("\\", "\\\\").replace('"', '\\"')
    elif not plain or new.lower() in _WORDS:
        new = "'" + new.replace("'", "''") + "'"
    return Edit(line, column, line, end, new, safe)


def _with_field(file: LintFile, node: MapNode, field: str) -> Edit | None:
    text = file.lines[node.line - 1]
    if text[node.column - 1 : node.column] == "{":
        return Edit(node.line, node.column + 1, node.line, node.column + 1, f"{field}, ", False)
    key, value = next(iter(node.entries.values()))
    if not isinstance(value, ScalarNode) or not value.verbatim or value.line != key.line:
        return None
    end = len(text) + 1
    return Edit(key.line, end, key.line, end, f"\n{' ' * (node.column - 1)}{field}", False)


def _without_comment(file: LintFile, line: int, column: int) -> Edit | None:
    if file.is_inside_text(line):
        return None
    text = file.lines[line - 1]
    before = text[: column - 1].rstrip()
    if text[column - 1 : column] != "#":
        return None
    if not before and line < len(file.lines):
        return Edit(line, 1, line + 1, 1, "", True)
    return Edit(line, len(before) + 1, line, len(text) + 1, "", True)


def edits(report: Report, *, safe_only: bool) -> Iterator[tuple[LintFile, list[Finding], str]]:
    """Files that open findings can correct: file, findings that are used, and the new text.

    With `safe_only`, only where nobody needs to look, and only if the file gets no worse.
    """
    of_file: dict[str, list[Finding]] = {}
    for finding in report.open:
        if finding.remedy is not None:
            of_file.setdefault(finding.location.file, []).append(finding)
    for name, findings in of_file.items():
        file = report.files[name]
        text = _decoded(file)
        if text is None:
            continue
        chosen = _chosen(file, findings, safe_only)
        new = _applied(text, [edit for edit, _ in chosen])
        if chosen and (not safe_only or _is_no_worse(file, new)):
            yield file, [finding for _, finding in chosen], new


def is_slip(written: str, meant: str) -> bool:
    """Whether one letter too few, one too many or two in the wrong order make the difference.

    Names that differ in a digit, in a word, or are short may well both be meant.
    """
    shorter, longer = sorted((written, meant), key=len)
    if len(shorter) < _LEAST_LETTERS or len(longer) - len(shorter) > 1:
        return False
    same = len(os.path.commonprefix((shorter, longer)))
    rest, more = shorter[same:], longer[same:]
    if len(rest) < len(more):
        return rest == more[1:] and not more[0].isdigit()
    return rest[:2] == more[1::-1] and rest[2:] == more[2:] and not any(map(str.isdigit, rest[:2]))


def suggestions(report: Report) -> str:
    """A unified diff of everything that findings propose, texts to be filled in among it."""
    lines: list[str] = []
    for file, _, new in edits(report, safe_only=False):
        name = relative(file.start.file)
        old = (_decoded(file) or "").splitlines()
        changes = difflib.unified_diff(old, new.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
        lines += map(printable, changes)
    return "".join(f"{line}\n" for line in lines)


def fix(run: Callable[[], Report]) -> tuple[Report, list[Finding]]:
    """Correct what is safe to correct, and lint again until nothing is left of it.

    Args:
        run: Lints, from the files as they are.

    Returns:
        The last report, and the findings that are corrected.

    Raises:
        ConfigError: A file cannot be written.
    """
    fixed: list[Finding] = []
    report = run()
    for _ in range(_MOST_ROUNDS):
        changed = list(edits(report, safe_only=True))
        if not changed:
            break
        for file, findings, new in changed:
            _write(file, new)
            fixed += findings
        report = run()
    return report, fixed


def _chosen(
    file: LintFile, findings: Iterable[Finding], safe_only: bool
) -> list[tuple[Edit, Finding]]:
    """Edits from the last to the first; of two that overlap, the first counts."""
    proposed = ((edit_of(finding, file), finding) for finding in findings)
    found = [(edit, one) for edit, one in proposed if edit and (edit.safe or not safe_only)]
    kept: list[tuple[Edit, Finding]] = []
    for edit, finding in sorted(found, key=lambda pair: pair[0]):
        last = kept[-1][0] if kept else None
        if last is None or (last.end_line, last.end_column) <= (edit.line, edit.column):
            kept.append((edit, finding))
    return kept[::-1]


def _applied(text: str, from_last: Iterable[Edit]) -> str:
    lines = _LINE.findall(text) or [""]
    ending = "\r\n" if lines[0].endswith("\r\n") else "\n"
    for edit in from_last:
        first = lines[edit.line - 1]
        last = lines[edit.end_line - 1] if edit.end_line <= len(lines) else ""
        new = edit.text.replace("\n", ending)
        joined = first[: edit.column - 1] + new + last[edit.end_column - 1 :]
        lines[edit.line - 1 : edit.end_line] = [joined]
    return "".join(lines)


def _is_no_worse(file: LintFile, new: str) -> bool:
    before, problems = parse_contract(file.data or b"", file.path)
    after, left = parse_contract(new.encode(), file.path)
    return (after is not None or before is None) and len(left) <= len(problems)


def _decoded(file: LintFile) -> str | None:
    try:
        return (file.data or b"").decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None


def _write(file: LintFile, text: str) -> None:
    path = file.path.resolve()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    mark = "\ufeff" if (file.data or b"").startswith("\ufeff".encode()) else ""
    try:
        _replace(path, part, (mark + text).encode())
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigError(
            f"--fix cannot write {path}: {error.strerror}; make it writable, or see --suggest"
        ) from None


def _replace(path: Path, part: Path, data: bytes) -> None:
    part.write_bytes(data)
    part.chmod(stat.S_IMODE(path.stat().st_mode))
    os.replace(part, path)
