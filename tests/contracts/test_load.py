"""Claims about loading one file, whatever it holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tracepact.contracts import Contract, Problem, load_contract, parse_contract

MINIMAL = "metadata: {version: 1.0.0}\n"
PLACES = (
    "metadata",
    "metadata.kind",
    "metadata.depends_on",
    "metadata.references",
    "equations",
    "equations.f",
    "equations.f.formula",
    "equations.f.tolerance",
    "equations.f.postconditions",
    "proof_obligations",
    "properties",
    "falsification",
    "falsification_tests",
    "kani_harnesses",
    "qa_gate",
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
names = st.sampled_from(["id", "type", "property", "formal", "lean", "bound", "name"]) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def load(path: Path, data: bytes) -> tuple[Contract | None, list[str]]:
    path.write_bytes(data)
    contract, problems = load_contract(path)
    return contract, [str(problem).removeprefix(f"{path}:") for problem in problems]


def assert_sound(contract: Contract | None, problems: list[Problem]) -> None:
    """Either a contract or a problem; every problem has a place and is there once."""
    assert contract is not None or problems
    assert len(set(problems)) == len(problems)
    for problem in problems:
        assert problem.location.file == "c.yaml"
        assert problem.location.line >= 1
        assert problem.location.column is not None
        assert problem.location.column >= 1
        assert "\n" not in str(problem)


def test_file_gives_a_contract_with_its_stem(tmp_path: Path) -> None:
    contract, problems = load(tmp_path / "softmax-kernel-v1.yaml", MINIMAL.encode())
    assert contract is not None
    assert (contract.stem, contract.metadata.version) == ("softmax-kernel-v1", "1.0.0")
    assert problems == []


def test_path_may_be_a_string(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MINIMAL)
    contract, _ = load_contract(str(tmp_path / "a.yaml"))
    assert contract is not None
    assert contract.path == tmp_path / "a.yaml"


def test_byte_order_mark_is_reported_and_the_rest_read(tmp_path: Path) -> None:
    contract, problems = load(tmp_path / "a.yaml", b"\xef\xbb\xbf" + MINIMAL.encode())
    assert contract is not None
    assert contract.metadata.version == "1.0.0"
    assert problems == ["1:1: starts with a byte order mark; save it as UTF-8 without one"]


def test_invalid_utf8_is_reported_with_its_place_and_the_rest_read(tmp_path: Path) -> None:
    data = MINIMAL.encode() + "equations: {f: 'é".encode() + b"\xe9'}\n"
    contract, problems = load(tmp_path / "a.yaml", data)
    assert contract is not None
    assert contract.equations["f"].formula == "é\ufffd"
    assert len(problems) == 1
    assert problems[0].startswith("2:18: not UTF-8: ")


@pytest.mark.parametrize(
    "data",
    [bytes(range(256)) * 40, MINIMAL.encode("utf-16"), b"\x7fELF\0\0", b"\0"],
    ids=["junk", "utf-16", "elf", "zero"],
)
def test_binary_file_is_one_problem(tmp_path: Path, data: bytes) -> None:
    contract, problems = load(tmp_path / "a.yaml", data)
    assert contract is None
    assert problems == ["1:1: not a text file; save it as UTF-8 text"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "~"])
def test_document_that_is_no_map_is_a_problem(tmp_path: Path, text: str) -> None:
    contract, problems = load(tmp_path / "a.yaml", text.encode())
    assert contract is None
    assert problems[0].startswith("1:1: document: expected a map with the sections of a contract")


def test_missing_file_is_a_problem(tmp_path: Path) -> None:
    contract, problems = load_contract(tmp_path / "gone.yaml")
    assert contract is None
    assert "cannot be read: No such file" in problems[0].message


def test_huge_hostile_names_give_short_messages() -> None:
    """Messages quote names; a name of a megabyte in every path would exhaust memory."""
    clauses = ", ".join(["[]"] * 2_000)
    text = f"equations:\n  ? {'n' * 1_000_000}\n  : {{postconditions: [{clauses}]}}\n"
    contract, problems = parse_contract(text.encode(), "c.yaml")
    assert_sound(contract, problems)
    assert sum(len(str(problem)) for problem in problems) < 500_000


def test_four_megabytes_of_anything_take_bounded_time() -> None:
    started = time.perf_counter()
    for unit in ("[", "a: b\n", "- ", "&a ", "\n", "[a, ", "a:\n b:\n", "'"):
        contract, problems = parse_contract((unit * 4_000_000)[: 2**22].encode(), "c.yaml")
        assert contract is None
        assert_sound(contract, problems)
    assert time.perf_counter() - started < 30.0


@given(st.text())
def test_arbitrary_text_never_raises(text: str) -> None:
    assert_sound(*parse_contract(text.encode(), "c.yaml"))


@given(st.binary())
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    assert_sound(*parse_contract(data, "c.yaml"))


@given(st.text(alphabet="[]{}:,-?&*!|>'\"%@` \n\tabc0~<#"))
def test_arbitrary_yaml_punctuation_never_raises(text: str) -> None:
    assert_sound(*parse_contract(text.encode(), "c.yaml"))


@given(st.dictionaries(st.sampled_from(PLACES), values))
def test_arbitrary_data_in_every_section_never_raises(data: dict[str, Any]) -> None:
    """Whatever stands in a section, a map with a section is a contract."""
    document: dict[str, Any] = {"metadata": {"version": "1"}}
    for place, value in data.items():
        *parents, last = place.split(".")
        target = document
        for name in parents:
            inner = target.get(name)
            target[name] = inner if isinstance(inner, dict) else {}
            target = target[name]
        target[last] = value
    text = yaml.safe_dump(document, allow_unicode=True)
    contract, problems = parse_contract(text.encode(), "c.yaml")
    assert_sound(contract, problems)
    assert contract is not None
