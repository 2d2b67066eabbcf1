"""Corrections change what they are about and nothing else; suggestions change nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tracepact.errors import ConfigError
from tracepact.lint import fixes
from tracepact.lint.fixes import fix, is_slip, suggestions
from tracepact.lint.run import Report, lint

HEAD = "metadata: {version: 1.0.0, kind: pattern, references: [r]}\n"
EQUATION = "equations: {softmax: {formula: y}}\n"
EXAMPLES = {
    "name of a field": (
        HEAD + "equations:\n  f:\n    formula: y  # a note\n    precondition: ['x > 0']\n",
        HEAD + "equations:\n  f:\n    formula: y  # a note\n    preconditions: ['x > 0']\n",
    ),
    "name of a section": (
        HEAD + EQUATION + "proof_obligatons: [{property: P}]  # why\n",
        HEAD + EQUATION + "proof_obligations: [{property: P}]  # why\n",
    ),
    "type of an obligation in quotes": (
        HEAD + EQUATION + "proof_obligations: [{type: 'invarinat', property: P}]\n",
        HEAD + EQUATION + "proof_obligations: [{type: 'invariant', property: P}]\n",
    ),
    "equation in a list": (
        HEAD + EQUATION + "proof_obligations: [{property: P, applies_to: [all, sofmax]}]\n",
        HEAD + EQUATION + "proof_obligations: [{property: P, applies_to: [all, softmax]}]\n",
    ),
    "obligation of a harness, with signs that need quotes": (
        HEAD
        + EQUATION
        + "proof_obligations: [{property: 'Sums: it''s 1'}]\n"
        + "kani_harnesses: [{id: K, bound: 8, obligation: Sums it's 1}]\n",
        HEAD
        + EQUATION
        + "proof_obligations: [{property: 'Sums: it''s 1'}]\n"
        + "kani_harnesses: [{id: K, bound: 8, obligation: 'Sums: it''s 1'}]\n",
    ),
    "dependency": (
        HEAD.replace("r]", "r], depends_on: [sofmax-kernel-v1]") + EQUATION,
        HEAD.replace("r]", "r], depends_on: [softmax-kernel-v1]") + EQUATION,
    ),
    "stale comment behind a value": (
        HEAD + "equations: {softmax: {formula: y}}  # tracepact: ignore[PV-VAL-004]\n",
        HEAD + "equations: {softmax: {formula: y}}\n",
    ),
    "stale comment on a line of its own": (
        HEAD + "# tracepact: ignore[PV-VAL-004]\n" + EQUATION,
        HEAD + EQUATION,
    ),
}
UNTOUCHED = {
    "renaming would make a second one": HEAD
    + "equations: {f: {formula: y, precondition: [x > 0], preconditions: [x > 1]}}\n",
    "comment in a text": HEAD
    + "equations:\n  f:\n    formula: |\n      y\n      # tracepact: ignore[PV-VAL-004]\n",
    "expired comment that still hides something": HEAD
    + "equations: {f: {domain: x}}  # tracepact: ignore[PV-VAL-004] until 2020-01-01\n",
    "more would be wrong": HEAD + EQUATION + "proof_obligatons: [{zzz: 1, yyy: 2}]\n",
    "another digit": HEAD
    + EQUATION
    + "proof_obligations: [{property: P, id: OB-001}]\n"
    + "kani_harnesses: [{id: K, bound: 8, obligation: OB-002}]\n",
    "two are as near": HEAD
    + "equations: {scales: {formula: y}, scaled: {formula: y}}\n"
    + "proof_obligations: [{property: P, applies_to: scale}]\n",
    "nothing near": HEAD + "equations: {f: {formula: y, zzz: 1}}\n",
}


def linter(path: Path) -> Callable[[], Report]:
    return lambda: lint([path])


def write(folder: Path, data: str | bytes) -> Path:
    path = folder / "own-v1.yaml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(("bad", "good"), EXAMPLES.values(), ids=EXAMPLES)
def test_fix_makes_the_good_example_of_the_bad_one(tmp_path: Path, bad: str, good: str) -> None:
    path = write(tmp_path, bad)
    report, fixed = fix(linter(path))
    assert path.read_text() == good
    assert len(fixed) == 1
    assert fixed[0].rule not in {one.rule for one in report.open}


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED)
def test_fix_leaves_alone_what_is_not_safe(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    assert fix(linter(path))[1] == []
    assert path.read_text() == text


def test_fix_keeps_line_ends_byte_order_mark_and_mode(tmp_path: Path) -> None:
    bad, good = EXAMPLES["name of a field"]
    before, after = (("\ufeff" + text.replace("\n", "\r\n")).encode() for text in (bad, good))
    path = write(tmp_path, before)
    path.chmod(0o640)
    fix(linter(path))
    assert path.read_bytes() == after
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_fix_writes_through_a_symbolic_link(tmp_path: Path) -> None:
    bad, good = EXAMPLES["name of a field"]
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").mkdir()
    real = write(tmp_path / "real", bad)
    link = tmp_path / "linked" / real.name
    link.symlink_to(real)
    fix(linter(link))
    assert link.is_symlink()
    assert real.read_text() == good


def test_what_a_correction_uncovers_is_corrected_too(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + EQUATION + "proof_obligatons: [{property: P, tpye: bond}]\n")
    assert len(fix(linter(path))[1]) == 3
    assert "proof_obligations: [{property: P, type: bound}]" in path.read_text()


def test_file_that_cannot_be_written_stays_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = EXAMPLES["name of a field"]
    path = write(tmp_path, bad)

    def refused(*_: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(fixes.os, "replace", refused)
    with pytest.raises(ConfigError, match="--fix cannot write"):
        fix(linter(path))
    assert path.read_text() == bad
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_suggestions_are_a_diff_with_blanks_that_do_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tests = "falsification_tests:\n  - id: F-1\n    prediction: p\n"
    path = write(tmp_path, HEAD + EQUATION + tests)
    diff = suggestions(lint([Path(path.name)]))
    assert diff.startswith("--- a/own-v1.yaml\n+++ b/own-v1.yaml\n@@")
    assert "\n+    if_fails: <where to look when it fails>\n" in diff
    blank = tests.replace("    prediction", "    if_fails: <where to look>\n    prediction")
    found = lint([write(tmp_path, HEAD + EQUATION + blank)]).open
    assert "PV-VAL-002" in {one.rule.id for one in found}


def test_finding_that_is_accepted_is_not_corrected(tmp_path: Path) -> None:
    text = HEAD + "# tracepact: ignore[PV-VAL-003]\nequation: {}\n" + EQUATION
    assert fix(linter(write(tmp_path, text)))[1] == []


@pytest.mark.parametrize(
    ("written", "meant", "slip"),
    [
        ("sofmax", "softmax", True),
        ("softtmax", "softmax", True),
        ("sotfmax", "softmax", True),
        ("precondition", "preconditions", True),
        ("crate", "created", False),
        ("cublas-gemm-v1", "blis-gemm-v1", False),
        ("rope-v1", "rope-v2", False),
        ("rope-v1", "rope-v12", False),
        ("rope-v12", "rope-v21", False),
        ("row", "rows", False),
        ("loss_a", "loss_b", False),
    ],
)
def test_slip_is_one_letter_that_nobody_can_have_meant(
    written: str, meant: str, slip: bool
) -> None:
    assert is_slip(written, meant) is slip
