"""Claims about the top level of a contract file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tracepact.contracts import Contract, Metadata, Problem, parse_contract

Read: TypeAlias = Callable[[str], tuple[Contract, list[Problem]]]


def test_metadata_has_all_its_fields(read: Read) -> None:
    contract, problems = read(
        """
        metadata:
          version: 1.0
          created: 2026-02-18
          author: A
          description: d
          references: [r1, "r2"]
          depends_on: [softmax-kernel-v1, contracts/matmul-kernel-v1.yaml, b.yml]
          kind: pattern
        """
    )
    assert problems == []
    assert contract.metadata == Metadata(
        version="1.0",
        created="2026-02-18",
        author="A",
        description="d",
        references=("r1", "r2"),
        depends_on=("softmax-kernel-v1", "matmul-kernel-v1", "b"),
        kind="pattern",
    )


def test_stem_and_path_come_from_the_file_name() -> None:
    contract, _ = parse_contract(b"equations: {}", "folder/softmax-kernel-v1.yaml")
    assert contract is not None
    assert contract.stem == "softmax-kernel-v1"
    assert contract.path == Path("folder/softmax-kernel-v1.yaml")


def test_depends_on_may_be_a_map(read: Read) -> None:
    contract, problems = read("metadata:\n  depends_on:\n    a-v1.yaml: because\n    b-v1:\n")
    assert contract.metadata.depends_on == ("a-v1", "b-v1")
    assert problems == []


def test_kind_is_kernel_by_default(read: Read) -> None:
    assert read("metadata: {}")[0].metadata.kind == "kernel"
    assert read("equations: {}")[0].metadata.kind == "kernel"


def test_registry_flag_is_the_kind_registry(read: Read) -> None:
    contract, problems = read("metadata: {registry: true}")
    assert contract.metadata.kind == "registry"
    assert problems == []


@pytest.mark.parametrize("written", ["kernal", "[a]"])
def test_unknown_kind_is_a_problem_and_taken_as_kernel(read: Read, written: str) -> None:
    contract, problems = read(f"metadata: {{kind: {written}}}")
    assert contract.metadata.kind == "kernel"
    assert "metadata.kind: " in problems[0].message


def test_metadata_of_the_wrong_type_is_a_problem(read: Read) -> None:
    contract, problems = read("metadata: [a]\nequations: {f: x}")
    assert contract.metadata == Metadata()
    assert list(contract.equations) == ["f"]
    assert str(problems[0]).startswith("c.yaml:1:11: metadata: expected a map, found a list")


def test_documented_section_is_kept_as_plain_data(read: Read) -> None:
    contract, problems = read("qa_gate: {id: F-1, min_coverage: 0.9, checks: [a, 1e-3]}")
    assert contract.sections == {
        "qa_gate": {"id": "F-1", "min_coverage": 0.9, "checks": ["a", 1e-3]}
    }
    assert problems == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("equatons", "did you mean 'equations'?"),
        ("version", "write it as metadata.version"),
        ("postconditions", "write it as equations.<name>.postconditions"),
        ("bindings", "write it in a file named binding.yaml"),
    ],
)
def test_unknown_section_is_kept_and_reported(read: Read, name: str, hint: str) -> None:
    contract, problems = read(f"metadata: {{}}\n{name}: x\n")
    assert contract.sections[name] == "x"
    assert str(problems[0]).startswith(f"c.yaml:2:1: unknown section '{name}'; {hint}")


def test_map_without_any_section_is_no_contract() -> None:
    contract, problems = parse_contract(b"a: 1\nb: 2\n", "c.yaml")
    assert contract is None
    assert [problem.message for problem in problems] == ["no section of a contract"]


def test_sections_and_equations_are_read_only(read: Read) -> None:
    contract, _ = read("qa_gate: {}")
    with pytest.raises(TypeError):
        contract.sections["x"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        contract.equations["x"] = None  # type: ignore[index]
