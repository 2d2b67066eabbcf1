"""Tests that contracts cite are found by name, and only where they are defined."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracepact.bindings import Bindings
from tracepact.contracts import Contract, parse_contract
from tracepact.score import Sources, citations, read_sources


def contract_citing(text: str) -> Contract:
    source = f"falsification_tests: [{{id: F, prediction: p, test: {text!r}}}]\n"
    contract, problems = parse_contract(source.encode(), "demo-v1.yaml")
    assert contract is not None, problems
    return contract


def sources_of(folder: Path, cited: str = "test_it") -> Sources:
    return read_sources([folder], [contract_citing(cited)], Bindings(path=None))


def fault(folder: Path, cited: str) -> str:
    (citation,) = citations(cited)
    found = sources_of(folder, cited).fault(citation)
    return "" if found is None else f"{found.kind}: {found.message}; {found.hint}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.py", "def test_it(): f()"),
        ("t.py", "class TestIt:\n    async def test_it(self): f()"),
        ("t.py", "if here:\n    def test_it(): f()"),
        ("t.rs", "fn test_it() {}"),
        ("t.rs", "pub async fn test_it() {}"),
        ("t.rs", "mod tests {\n    pub(crate) fn test_it() {}\n}"),
        ("t.rs", 'let s = "/*";\nlet c = \'"\';\nfn test_it() {}'),
        ("t.rs", "fn f<'a>(x: &'a str) {}\nfn test_it() {}"),
        ("t.rs", "/* a /* b */ c */ fn test_it() {}"),
    ],
)
def test_definition_is_found(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(f"{text}\n")
    (function,) = sources_of(tmp_path).functions["test_it"]
    line = text.splitlines().index(next(s for s in text.splitlines() if "test_it" in s)) + 1
    assert (Path(function.location.file).name, function.location.line) == (name, line)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.py", "# def test_it():"),
        ("t.py", '"""\ndef test_it(): f()\n"""'),
        ("t.py", "def outer():\n    def test_it(): f()"),
        ("t.rs", "// fn test_it() {}"),
        ("t.rs", "/* /* */ fn test_it() {} */"),
        ("t.rs", 'let s = "\nfn test_it() {}\n";'),
        ("t.rs", 'let s = r#"fn test_it() {} " "#;'),
        ("t.rs", "/* no end fn test_it() {}"),
        ("t.rs", 'r#"no end" fn test_it() {}'),
        ("t.rs", '"no end fn test_it() {}'),
        ("t.rs", "call(test_it)"),
        ("node_modules/t.py", "def test_it(): f()"),
        (".hidden/t.py", "def test_it(): f()"),
    ],
)
def test_mention_is_no_definition(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(f"{text}\n")
    assert fault(tmp_path, "test_it").startswith("missing: which is not there")


def test_file_that_may_define_it_and_is_no_python_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def test_it(:\n")
    (tmp_path / "b.py").write_text("def test_other(:\n")
    (problem,) = sources_of(tmp_path).problems
    assert str(problem).endswith(
        "a.py:1:13: not Python: invalid syntax; it is left out; correct it"
    )


def test_test_in_another_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text("def test_it(): f()\n")
    assert fault(tmp_path, "a.py::test_it").endswith(f"it is in {tmp_path / 'b.py'}")


@pytest.mark.parametrize(
    ("definition", "cited", "kind"),
    [
        ("def test_it(): f()", "t.py::test_it[a]", "caseless"),
        ("def test_it(self): f()", "t.py::test_it[a]", "caseless"),
        ("def test_it(case): f(case)", "t.py::test_it[a b]", ""),
        ("@each_case\ndef test_it(): f()", "t.py::test_it[a]", ""),
        ("def test_it(): ...", "t.py::test_it", "empty"),
        ("def test_it(): assert 1 == 1", "t.py::test_it", "empty"),
        ("@pytest.mark.skip\ndef test_it(): f()", "t.py::test_it", "empty"),
        ("@unittest.skip('later')\ndef test_it(): f()", "t.py::test_it", "empty"),
        ("@pytest.mark.skipif(True, reason='')\ndef test_it(): f()", "t.py::test_it", "empty"),
        ("@pytest.mark.skipif(slow, reason='')\ndef test_it(): f()", "t.py::test_it", ""),
    ],
)
def test_cited_case_needs_cases_and_a_test_a_body(
    tmp_path: Path, definition: str, cited: str, kind: str
) -> None:
    (tmp_path / "t.py").write_text(f"{definition}\n")
    assert fault(tmp_path, cited).partition(":")[0] == kind


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tests/t.py::TestA::test_x[a b, c]", ["tests/t.py::TestA::test_x"]),
        ("a.py::test_x and b.rs::tests::test_y", ["a.py::test_x", "b.rs::tests::test_y"]),
        ("see test_x, then prop_y", ["test_x", "prop_y"]),
        ("module::tests::test_x", ["test_x"]),
        ("proptest with random vectors", []),
        ("", []),
    ],
)
def test_text_cites_what_it_names(text: str, found: list[str]) -> None:
    assert [str(each) for each in citations(text)] == found


def test_theorem_counts_where_something_is_proved(tmp_path: Path) -> None:
    (tmp_path / "A.lean").write_text(
        "theorem A.one : f x = x := rfl -- no sorry\ntheorem two : f x = x := by sorry\n"
        "theorem three : True := trivial\n/- /- -/\ntheorem four : f x = x := rfl -/\n"
    )
    assert sources_of(tmp_path).proved == {"one"}


@pytest.mark.parametrize("text", ["a" * 200_000, "a/" * 100_000, "a.py::" * 50_000, "a::" * 99_999])
def test_long_text_is_read_in_one_go(text: str) -> None:
    assert len(citations(text)) <= 1  # quadratic, it would take minutes


@pytest.mark.parametrize("unit", ["/*", 'r##" ', "'", '"', "/-", "fn f() "])
def test_source_without_ends_is_read_in_one_go(tmp_path: Path, unit: str) -> None:
    for name in ("t.rs", "t.lean"):
        (tmp_path / name).write_text("fn test_it() {}\n" + unit * 100_000)
    assert "test_it" in sources_of(tmp_path).functions
