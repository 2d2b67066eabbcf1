"""Each kind of change is found where it is, and demands what the table says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.drift.bump import Bump, Party
from tracepact.drift.changes import CHANGE_KINDS
from tracepact.drift.compare import diff_contracts, diff_sets
from tracepact.lint.source import LintFile

Make = Callable[..., LintFile]

BASE: dict[str, Any] = {
    "metadata": {
        "version": "1.0.0",
        "kind": "kernel",
        "description": "A demo.",
        "depends_on": ["other-v1"],
        "enforcement_level": "standard",
    },
    "equations": {
        "scale": {
            "formula": "y = a * x",
            "domain": "x [n]",
            "codomain": "y [n]",
            "tolerance": 1e-6,
            "invariants": ["Signs stay"],
            "preconditions": ["a > 0"],
            "postconditions": ["isfinite(y)", "abs(y) <= 2", "y <= 9 * a"],
        },
        "shift": {"formula": "y = x + c", "postconditions": ["y > c"]},
    },
    "proof_obligations": [
        {"type": "bound", "property": "Small", "formal": "abs(y) <= 2", "applies_to": ["scale"]},
        {"type": "invariant", "property": "Finite", "formal": "isfinite(y)"},
    ],
    "falsification_tests": [
        {"id": "F-1", "rule": "Small", "prediction": "large is found", "test": "t.py::test_a"}
    ],
    "kani_harnesses": [
        {"id": "K-1", "obligation": "Small", "bound": 4, "strategy": "exhaustive", "harness": "h"}
    ],
    "qa_gate": {"id": "Q", "checks": ["Small"]},
}

REMOVED = object()


def changed(*edits: tuple[str, Any]) -> dict[str, Any]:
    """The base with values replaced; `equations.scale.formula` is a path."""
    data = json.loads(json.dumps(BASE))
    for path, value in edits:
        *parents, last = path.split(".")
        node = data
        for name in parents:
            node = node[int(name)] if isinstance(node, list) else node[name]
        key = int(last) if isinstance(node, list) else last
        if value is REMOVED:
            del node[key]
        elif isinstance(node, list) and key == len(node):
            node.append(value)
        else:
            node[key] = value
    return data


def yaml(data: dict[str, Any], indent: int | None = 2) -> str:
    return json.dumps(data, indent=indent)  # JSON is YAML


E = "equations.scale."
CASES: list[tuple[str, list[tuple[str, Any]]]] = [
    ("kind-changed", [("metadata.kind", "pattern")]),
    ("dependency-added", [("metadata.depends_on", ["other-v1", "third-v1"])]),
    ("dependency-removed", [("metadata.depends_on", [])]),
    ("level-raised", [("metadata.enforcement_level", "strict")]),
    ("level-lowered", [("metadata.enforcement_level", "basic")]),
    ("equation-added", [("equations.more", {"formula": "z = x"})]),
    ("equation-removed", [("equations.shift", REMOVED)]),
    ("formula-changed", [(E + "formula", "y = a * x * x")]),
    ("domain-changed", [(E + "domain", "x [n], n > 0")]),
    ("codomain-changed", [(E + "codomain", "y [n], finite")]),
    ("invariant-added", [(E + "invariants", ["Signs stay", "Order stays"])]),
    ("invariant-removed", [(E + "invariants", [])]),
    ("precondition-added", [(E + "preconditions", ["a > 0", "a < 9"])]),
    ("precondition-removed", [(E + "preconditions", [])]),
    ("precondition-tightened", [(E + "preconditions", ["a > 1"])]),
    ("precondition-loosened", [(E + "preconditions", ["a >= 0"])]),
    ("precondition-changed", [(E + "preconditions", ["sqrt(a) > 0"])]),
    ("postcondition-added", [(E + "postconditions.3", "y != 0.5")]),
    ("postcondition-removed", [(E + "postconditions.0", REMOVED)]),
    ("postcondition-tightened", [(E + "postconditions.1", "abs(y) <= 1")]),
    ("postcondition-loosened", [(E + "postconditions.1", "abs(y) <= 3")]),
    ("postcondition-changed", [(E + "postconditions.1", "abs(y + 1) <= 2")]),
    ("tolerance-tightened", [(E + "tolerance", 1e-7)]),
    ("tolerance-loosened", [(E + "tolerance", REMOVED)]),
    ("obligation-added", [("proof_obligations.2", {"property": "New", "formal": "y != 1"})]),
    ("obligation-removed", [("proof_obligations.1", REMOVED)]),
    ("obligation-tightened", [("proof_obligations.0.formal", "abs(y) <= 1")]),
    ("obligation-loosened", [("proof_obligations.0.formal", "abs(y) <= 3")]),
    ("obligation-changed", [("proof_obligations.0.type", "invariant")]),
    ("theorem-changed", [(E + "lean_theorem", "Scale.small")]),
    ("test-added", [("falsification_tests.1", {"id": "F-2", "prediction": "another"})]),
    ("test-removed", [("falsification_tests", [])]),
    ("test-changed", [("falsification_tests.0.test", "t.py::test_b")]),
    ("harness-added", [("kani_harnesses.1", {"id": "K-2", "property": "Finite"})]),
    ("harness-removed", [("kani_harnesses", [])]),
    ("harness-changed", [("kani_harnesses.0.bound", 5)]),
    ("section-added", [("performance", {"goal": 1})]),
    ("section-removed", [("qa_gate", REMOVED)]),
    ("section-changed", [("qa_gate.checks", [])]),
    ("prose-changed", [("metadata.description", "Another demo.")]),
]


@pytest.mark.parametrize(("kind", "edits"), CASES, ids=[kind for kind, _ in CASES])
def test_one_change_is_found_alone_with_both_places(
    kind: str, edits: list[tuple[str, Any]], contract_file: Make
) -> None:
    old, new = contract_file(yaml(BASE)), contract_file(yaml(changed(*edits)), "new.yaml")
    found = diff_contracts(old, new)
    assert [each.kind for each in found.changes] == [kind]
    (change,) = found.changes
    assert change.old is not None
    assert change.new is not None
    assert (change.old.file, change.new.file) == ("demo-v1.yaml", "new.yaml")
    assert change.old.column
    assert found.bump is CHANGE_KINDS[kind].bump()


def test_every_kind_of_change_has_a_case() -> None:
    elsewhere = {
        "contract-added", "contract-removed", "equation-renamed",
        "field-added", "field-removed", "field-renamed",
    }  # fmt: skip
    assert {kind for kind, _ in CASES} | elsewhere == set(CHANGE_KINDS)


def kinds_of(old: LintFile, new: LintFile) -> list[str]:
    return [change.kind for change in diff_contracts(old, new).changes]


def test_renamed_field_is_one_change_and_no_condition_changed(contract_file: Make) -> None:
    new = changed(
        (E + "postconditions", ["isfinite(out)", "2 >= abs(out)", "out <= 9 * a"]),
        ("proof_obligations", []),
    )
    old = changed(("proof_obligations", []))
    found = diff_contracts(contract_file(yaml(old)), contract_file(yaml(new)))
    assert [(c.kind, c.before, c.after) for c in found.changes] == [("field-renamed", "y", "out")]


def test_renamed_field_does_not_hide_a_tighter_bound(contract_file: Make) -> None:
    new = changed((E + "postconditions", ["isfinite(out)", "abs(out) <= 1", "out <= a * 9"]))
    kinds = kinds_of(contract_file(yaml(BASE)), contract_file(yaml(new)))
    assert kinds == ["field-renamed", "postcondition-tightened"]


def test_new_and_dropped_fields_are_named(contract_file: Make) -> None:
    old, new = (
        contract_file(yaml(BASE)),
        contract_file(yaml(changed((E + "postconditions.1", "abs(y) <= 2 * m + k")))),
    )
    added = [c.after for c in diff_contracts(old, new).changes if c.kind == "field-added"]
    removed = [c.before for c in diff_contracts(new, old).changes if c.kind == "field-removed"]
    assert added == removed == ["k", "m"]


def test_equation_with_another_name_and_the_same_formula_is_renamed(contract_file: Make) -> None:
    data = changed(("equations.move", BASE["equations"]["shift"]), ("equations.shift", REMOVED))
    found = diff_contracts(contract_file(yaml(BASE)), contract_file(yaml(data)))
    assert [(c.kind, c.before, c.after) for c in found.changes] == [
        ("equation-renamed", "shift", "move")
    ]


def test_obligation_of_a_new_equation_comes_with_it(contract_file: Make) -> None:
    data = changed(
        ("equations.more", {"formula": "z = x"}),
        ("proof_obligations.2", {"property": "New", "formal": "z > 0", "applies_to": ["more"]}),
    )
    found = diff_contracts(contract_file(yaml(BASE)), contract_file(yaml(data)))
    assert [c.kind for c in found.changes] == ["equation-added"]
    assert found.bump is Bump.MINOR


def test_bound_with_the_same_value_is_no_change(contract_file: Make) -> None:
    data = changed((E + "postconditions.1", "abs(y) <= 1 + 1"))
    assert kinds_of(contract_file(yaml(BASE)), contract_file(yaml(data))) == []


@pytest.mark.parametrize(
    ("version", "edits", "says"),
    [
        ("1.0.0", [(E + "tolerance", 1e-7)], "does not announce major changes since 1.0.0"),
        ("1.9.0", [(E + "tolerance", 1e-7)], "does not announce major"),
        ("1.0.1", [("equations.more", {"formula": "z = x"})], "does not announce minor"),
        ("1.0.0", [("metadata.description", "New")], "does not announce patch"),
        ("0.9.0", [("metadata.description", "New")], "comes before 1.0.0"),
        ("0.9.0", [], "comes before 1.0.0"),
        ("two", [("metadata.description", "New")], "MAJOR.MINOR.PATCH"),
        ("", [("metadata.description", "New")], "missing"),
        ("2.0.0", [(E + "tolerance", 1e-7)], ""),
        ("1.1.0", [("equations.more", {"formula": "z = x"})], ""),
        ("1.0.1", [("metadata.description", "New")], ""),
        ("1.0.0", [], ""),
        ("1.5.0", [], ""),
    ],
)
def test_version_has_to_announce_the_changes(
    version: str, edits: list[tuple[str, Any]], says: str, contract_file: Make
) -> None:
    new = changed(("metadata.version", version), *edits)
    found = diff_contracts(contract_file(yaml(BASE)), contract_file(yaml(new)))
    assert bool(found.findings) is bool(says)
    assert says in " ".join(map(str, found.findings))


def test_version_is_asked_for_the_party_it_is_for(contract_file: Make) -> None:
    old = contract_file(yaml(BASE))
    new = contract_file(yaml(changed((E + "tolerance", 1e-3), ("metadata.version", "1.1.0"))))
    assert diff_contracts(old, new, Party.CALLERS).findings
    assert not diff_contracts(old, new, Party.IMPLEMENTERS).findings


# -- sets ------------------------------------------------------------------------------------


def test_added_and_removed_contracts_are_named(contract_file: Make) -> None:
    one, two = contract_file(yaml(BASE), "a-v1.yaml"), contract_file(yaml(BASE), "b-v1.yaml")
    third = contract_file(yaml(BASE), "c-v1.yaml")
    found = diff_sets({"a": one, "b": two}, {"b": two, "c": third})
    assert [(d.stem, d.changes[0].kind, d.bump) for d in found] == [
        ("a-v1", "contract-removed", Bump.MAJOR),
        ("c-v1", "contract-added", Bump.MINOR),
    ]
    assert not any(diff.findings for diff in found)


def test_removed_contract_that_others_depend_on_is_found(contract_file: Make) -> None:
    other = contract_file(yaml(BASE), "other-v1.yaml")
    user = contract_file(yaml(BASE), "user-v1.yaml")
    (found,) = diff_sets({"other-v1.yaml": other, "u": user}, {"u": user})
    assert "depends on 'other-v1', which is removed" in str(found.findings[0])


def test_contract_that_moved_is_the_same_contract(contract_file: Make) -> None:
    old, new = contract_file(yaml(BASE), "x/a-v1.yaml"), contract_file(yaml(BASE), "y/a-v1.yaml")
    third = contract_file(yaml(BASE), "z/z-v1.yaml")
    assert diff_sets({"x/a-v1.yaml": old, "z": third}, {"y/a-v1.yaml": new, "z": third}) == []


def test_two_single_files_are_compared_whatever_they_are_called(contract_file: Make) -> None:
    old, new = contract_file(yaml(BASE), "a-v1.yaml"), contract_file(yaml(BASE), "a-v2.yaml")
    assert diff_sets({"a-v1.yaml": old}, {"a-v2.yaml": new}) == []


def test_contract_that_cannot_be_read_any_more_is_a_finding(contract_file: Make) -> None:
    old, new = contract_file(yaml(BASE)), contract_file("equations: [")
    (found,) = diff_sets({"a": old}, {"a": new})
    assert found.changes[0].kind == "contract-removed"
    assert found.findings


def test_other_yaml_files_say_nothing(contract_file: Make) -> None:
    old, new = contract_file("on: push"), contract_file("on: [push, pull_request]")
    assert diff_sets({"ci.yaml": old}, {"ci.yaml": new}) == []


# -- properties ------------------------------------------------------------------------------

edits = st.lists(st.sampled_from(CASES), max_size=4, unique_by=lambda case: case[0])


def edited(cases: list[tuple[str, list[tuple[str, Any]]]]) -> dict[str, Any]:
    # An edit may not find what another one removed.
    data: list[tuple[str, Any]] = []
    for _, each in cases:
        try:
            changed(*data, *each)
        except (IndexError, KeyError):
            continue
        data += each
    return changed(*data)


def shuffled(value: Any, draw: Any) -> Any:
    """The same with the keys of maps in another order."""
    if isinstance(value, dict):
        names = draw(st.permutations(list(value)))
        return {name: shuffled(value[name], draw) for name in names}
    return [shuffled(each, draw) for each in value] if isinstance(value, list) else value


@given(cases=edits, data=st.data())
def test_order_of_keys_and_formatting_change_nothing(
    contract_file: Make, cases: Any, data: st.DataObject
) -> None:
    base = edited(cases)
    one = contract_file(yaml(base))
    other = contract_file("# a comment\n" + yaml(shuffled(base, data.draw), indent=None))
    found = diff_contracts(one, other)
    assert found.changes == ()
    assert found.bump is Bump.NONE


@given(first=edits, second=edits)
def test_what_harms_callers_one_way_harms_implementers_the_other_way(
    contract_file: Make, first: Any, second: Any
) -> None:
    def promises(found: Any) -> list[Any]:
        """Changes of what is promised; names and prose harm both."""
        words = ("precondition", "postcondition", "tolerance", "level", "obligation")
        return [c for c in found.changes if c.kind.startswith(words)]

    one, other = contract_file(yaml(edited(first))), contract_file(yaml(edited(second)))
    there, back = promises(diff_contracts(one, other)), promises(diff_contracts(other, one))
    for party, opposite in (
        (Party.CALLERS, Party.IMPLEMENTERS),
        (Party.IMPLEMENTERS, Party.CALLERS),
    ):
        forwards = max((c.bump(party) for c in there), default=Bump.NONE)
        backwards = max((c.bump(opposite) for c in back), default=Bump.NONE)
        assert forwards == backwards


@given(first=edits, second=edits)
def test_something_changed_one_way_if_it_did_the_other_way(
    contract_file: Make, first: Any, second: Any
) -> None:
    one, other = contract_file(yaml(edited(first))), contract_file(yaml(edited(second)))
    assert bool(diff_contracts(one, other).changes) is bool(diff_contracts(other, one).changes)
