"""Contracts survive the way to JSON and back unchanged."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tracepact.contracts import parse_contract, registry
from tracepact.contracts.codec import DAMAGE, decode, encode

LIBRARY = sorted(Path(registry.__file__).with_name("library").glob("*.yaml"))
CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "contracts"
WILD = sorted(CORPUS.glob("**/*.yaml"))

EVERYTHING = """\
metadata: {version: 1.0.0, references: [a, b], depends_on: [x.yaml], kind: pattern}
equations:
  f:
    formula: "ü ≤ \\U0001F600 \\"quoted\\" \\x07"
    invariants: [one, two]
    preconditions:
      - "ret > 0"
      - >
        folded
    postconditions: [{predicate: ret < 1}, "  'inner'  "]
    tolerance: 1e-6
    lean_theorem: T
    assumes: {shapes: {x: {dims: [n, m]}}, from_contract: x-v1, from_equation: g}
    guarantees: {constraints: [n > 0]}
  g: 5
proof_obligations:
  - {type: bound, property: p, formal: ret < 1, tolerance: 0, applies_to: f, lean: {a: [1, .nan]}}
  - {type: odd, property: q, lean: Theorem}
falsification_tests: [{id: T1, if_fails: x}]
kani_harnesses: [{id: H1, bound: 8}, {id: H2, bound: -99999999999999999999}]
qa_gate: {a: [1, 1.0, -0.0, 1e300, .inf, true, null, "1", {b: []}], 2026-01-01: x}
unknown: 3
"""


def same(one: Any, other: Any) -> bool:
    """Equal in every field, type by type, with NaN equal to itself and 1 unequal to 1.0."""
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        return all(
            same(getattr(one, field.name), getattr(other, field.name))
            for field in dataclasses.fields(one)
        )
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


@pytest.mark.parametrize(
    "path", [*LIBRARY, *WILD], ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_file_is_the_same_after_a_round_trip(path: Path) -> None:
    source = path.read_bytes()
    parsed = parse_contract(source, path)
    assert same(decode(encode(*parsed, source), path), parsed)


def test_every_field_and_kind_of_value_is_the_same_after_a_round_trip() -> None:
    contract, problems = parse_contract(EVERYTHING.encode(), "deep/a.yaml")
    assert contract is not None
    assert len(problems) == 2
    empty = [
        name
        for record in (contract.metadata, contract.equations["f"], contract.obligations[0])
        for name in (field.name for field in dataclasses.fields(record))
        if not getattr(record, name)
    ]
    of_metadata = ["created", "author", "description", "enforcement_level", "locked_level"]
    of_equation = ["description", "domain", "codomain", "tolerance"]
    assert empty == [*of_metadata, *of_equation, "requires", "id"]
    data = encode(contract, problems, EVERYTHING.encode())
    assert same(decode(data, Path("deep/a.yaml")), (contract, problems))


def test_path_gives_stem_and_locations() -> None:
    source = EVERYTHING.encode()
    data = encode(*parse_contract(source, "deep/a.yaml"), source)
    assert same(decode(data, Path("b.yml")), parse_contract(source, "b.yml"))


def test_file_without_contract_keeps_its_problems() -> None:
    parsed = parse_contract(b"]", "a.yaml")
    assert parsed[1]
    assert same(decode(encode(*parsed, b"]"), Path("a.yaml")), parsed)


def test_aliases_that_multiply_a_text_are_not_written() -> None:
    """A file of 200 KB stands for 10 GB of JSON: refused before any of it is made."""
    source = b"qa_gate:\n  a: &a " + b"x" * 100_000 + b"\n  b: [" + b"*a," * 99_000 + b"]\n"
    contract, problems = parse_contract(source, "a.yaml")
    assert contract is not None
    with pytest.raises(ValueError, match="too large"):
        encode(contract, problems, source)


def test_many_problems_of_a_small_file_are_not_written() -> None:
    source = b"equations: [" + b"[]," * 900 + b"]"
    parsed = parse_contract(source, "a.yaml")
    with pytest.raises(ValueError, match="too large"):
        encode(*parsed, source)


def _mutations() -> Iterator[bytes]:
    """A written contract with each of its values in turn replaced by one of every JSON type."""
    source = EVERYTHING.encode()
    document = json.loads(encode(*parse_contract(source, "a.yaml"), source))

    def visit(holder: Any, key: Any) -> Iterator[bytes]:
        value = holder[key]
        for other in (None, True, 5, 2.5, "x", [], {}, [[]], {"a": 1}):
            holder[key] = other
            yield json.dumps(document).encode()
        holder[key] = value
        if isinstance(value, list | dict):
            for inner in list(value) if isinstance(value, dict) else range(len(value)):
                yield from visit(value, inner)

    for key in range(len(document)):
        yield from visit(document, key)


def test_value_of_another_type_is_damage_or_allowed_there() -> None:
    """What is decoded has the types of the model: it can be written and read once more."""
    refused = 0
    for data in _mutations():
        try:
            found = decode(data, Path("a.yaml"))
        except DAMAGE:
            refused += 1
        else:
            assert same(decode(encode(*found, b" " * 10_000), Path("a.yaml")), found)
    assert refused > 1_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"[null]",
        b"[null, [], 1]",
        b"[null, null]",
        b"[[], []]",
        b'[null, [["m", "h"]]]',
        b'[null, [[[1, 1], "m", "h", 1]]]',
        b"[" * 100_000,
        b"[null, " + b"[" * 900 + b"]" * 900 + b"]",
        b"[null, [[[" + b"9" * 10_000 + b', 1], "m", "h"]]]',
    ],
)
def test_other_bytes_are_damage(data: bytes) -> None:
    with pytest.raises(DAMAGE):
        decode(data, Path("a.yaml"))


def test_half_a_surrogate_pair_is_not_written() -> None:
    contract, problems = parse_contract(b"qa_gate: {a: b}", "a.yaml")
    assert contract is not None
    broken = dataclasses.replace(contract, sections={"a": "\ud83d"})
    with pytest.raises(ValueError, match="surrogate"):
        encode(broken, problems, b" " * 100)
