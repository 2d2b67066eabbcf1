"""Who may guarantee what is assumed: others that are named or depended on, never oneself."""

from __future__ import annotations

from pathlib import Path

from tracepact.lint.run import lint
from tracepact.lint.settings import Settings

SHAPE = "{shapes: {y: {dims: [n, 2 * m]}}}"


def found(folder: Path, **texts: str) -> list[tuple[str, str]]:
    """Equation and message of each finding, in contracts of these texts."""
    for stem, text in texts.items():
        depends, _, equations = text.partition("|")
        head = f"version: 1.0.0, kind: pattern, references: [r], depends_on: {depends}"
        (folder / f"{stem}-v1.yaml").write_text(f"metadata: {{{head}}}\n{equations}\n")
    report = lint([folder], Settings(select=("COMPOSITION-001",)))
    return [(one.equation, one.message) for one in report.findings]


def test_guarantee_of_what_a_dependency_depends_on_counts(tmp_path: Path) -> None:
    assert not found(
        tmp_path,
        own=f"[mid-v1]|equations: {{f: {{formula: y, assumes: {SHAPE}}}}}",
        mid="[base-v1]|equations: {g: {formula: y}}",
        base=f"[]|equations: {{h: {{formula: y, guarantees: {SHAPE.replace('2 * m', '2*m')}}}}}",
    )


def test_own_guarantee_of_the_same_equation_does_not_count(tmp_path: Path) -> None:
    text = f"[base-v1]|equations: {{f: {{formula: y, assumes: {SHAPE}, guarantees: {SHAPE}}}}}"
    said = found(tmp_path, own=text, base="[]|equations: {g: {formula: y}}")
    assert said == [("f", "assumes a shape of 'y', which nothing it depends on guarantees")]


def test_who_depends_on_nobody_assumes_it_of_callers(tmp_path: Path) -> None:
    assert not found(tmp_path, own=f"[]|equations: {{f: {{formula: y, assumes: {SHAPE}}}}}")


def test_other_dimensions_are_named_with_their_place(tmp_path: Path) -> None:
    assert found(
        tmp_path,
        own=f"[base-v1]|assumes: {SHAPE}\nequations: {{f: {{formula: y}}}}",
        base="[]|equations: {g: {formula: y, guarantees: {shapes: {y: [n]}}}}",
    ) == [("", "assumes another shape of 'y' than '[n]'")]


def test_source_that_is_named_must_be_there(tmp_path: Path) -> None:
    def own(source: str) -> str:
        return f"[]|equations: {{f: {{formula: y, assumes: {{constraints: [n > 0], {source}}}}}}}"

    said = found(
        tmp_path,
        own=own("from_contract: none-v1"),
        two=own("from_contract: own-v1, from_equation: g"),
        three=own("from_equation: f"),
    )
    assert [message for _, message in said] == [
        "assumes something of 'none-v1', which is not there",
        "assumes 'n > 0', which nothing it depends on guarantees",
        "assumes something of 'g', which is no equation of 'own-v1'",
    ]
