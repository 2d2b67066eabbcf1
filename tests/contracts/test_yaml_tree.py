"""Claims about reading YAML within limits."""

from __future__ import annotations

import time

import pytest
import yaml

from tracepact.contracts import yaml_tree
from tracepact.contracts.fields import as_data
from tracepact.contracts.problem_log import ProblemLog
from tracepact.contracts.yaml_tree import (
    MAX_DEPTH,
    MAX_NODES,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    parse_tree,
)

pytestmark = pytest.mark.usefixtures("loader")


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every claim holds for libyaml and for the parser in Python."""
    if not hasattr(yaml, request.param):
        pytest.skip(f"PyYAML was built without {request.param}")
    monkeypatch.setattr(yaml_tree, "_LOADER", getattr(yaml, request.param))
    return str(request.param)


def parse(text: str) -> tuple[Node | None, list[str]]:
    log = ProblemLog("t.yaml")
    root = parse_tree(text, log)
    return root, [str(problem) for problem in log.problems]


def scalar(text: str) -> ScalarNode:
    root, problems = parse(text)
    assert isinstance(root, MapNode)
    assert not problems
    value = root.entries["k"][1]
    assert isinstance(value, ScalarNode)
    return value


def test_tree_has_texts_and_positions() -> None:
    root, problems = parse("a: 1\nb:\n  - x\n  - y\n")
    assert isinstance(root, MapNode)
    items = root.entries["b"][1]
    assert isinstance(items, ListNode)
    second = items.items[1]
    assert isinstance(second, ScalarNode)
    assert (second.text, second.line, second.column) == ("y", 4, 5)
    assert problems == []


@pytest.mark.parametrize(
    ("written", "verbatim"),
    [
        ("x > 0", True),
        ("'x > 0'", True),
        ('"x > 0"', True),
        ("'it''s'", False),
        ('"\\x41 > 0"', False),
        ("|\n  x > 0", False),
        ("x >\n  0", False),
    ],
)
def test_text_is_verbatim_when_it_stands_there_character_by_character(
    written: str, verbatim: bool
) -> None:
    assert scalar(f"k: {written}\n").verbatim is verbatim


def test_text_starts_behind_the_quote() -> None:
    assert scalar("k: x").text_offset == 0
    assert scalar("k: 'x'").text_offset == 1


@pytest.mark.parametrize("written", ["", "~", "null"])
def test_plain_null_is_null(written: str) -> None:
    assert scalar(f"k: {written}").is_null


def test_quoted_null_is_a_text() -> None:
    assert not scalar("k: 'null'").is_null


def test_duplicate_key_is_reported_and_the_first_counts() -> None:
    root, problems = parse("a: 1\nb: 2\na: 3\n")
    assert as_data(root) == {"a": 1, "b": 2}  # type: ignore[arg-type]
    assert problems == [
        "t.yaml:3:1: duplicate key 'a'; the one in line 1 counts; remove or rename this one"
    ]


def test_alias_is_the_same_node() -> None:
    root, problems = parse("a: &x [1, 2]\nb: *x\n")
    assert isinstance(root, MapNode)
    assert root.entries["b"][1] is root.entries["a"][1]
    assert problems == []


@pytest.mark.parametrize("text", ["a: *gone\n", "a: &x [*x]\n"])
def test_alias_without_complete_anchor_is_a_problem(text: str) -> None:
    _, problems = parse(text)
    assert len(problems) == 1
    assert "has no complete anchor" in problems[0]


def test_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 40)]
    started = time.perf_counter()
    root, problems = parse("\n".join(lines))
    assert root is None
    assert f"more than {MAX_NODES} values" in problems[0]
    assert time.perf_counter() - started < 1.0


def test_alias_of_a_deep_node_counts_its_levels() -> None:
    half = MAX_DEPTH // 2 + 1
    deep = "[" * half + "]" * half
    root, problems = parse(f"a: &x {deep}\nb: {'[' * half}*x{']' * half}\n")
    assert root is None
    assert "nested deeper" in problems[0]


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? ", "[a, "])
def test_deep_nesting_is_refused_at_once(unit: str) -> None:
    root, problems = parse(unit * 100_000)
    assert root is None
    assert f"nested deeper than {MAX_DEPTH} levels" in problems[0]


def test_nesting_up_to_the_limit_is_read() -> None:
    root, problems = parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert isinstance(root, ListNode)
    assert root.height == MAX_DEPTH
    assert problems == []


def test_too_many_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_tree, "MAX_NODES", 10)
    root, problems = parse("[" + "x, " * 20 + "]")
    assert root is None
    assert "more than 10 values" in problems[0]


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n"])
def test_empty_file_is_a_problem(text: str) -> None:
    root, problems = parse(text)
    assert root is None
    assert problems[0].startswith("t.yaml:1:1: the file is empty")


def test_second_document_is_reported_and_left_out() -> None:
    root, problems = parse("a: 1\n---\nb: 2\n")
    assert isinstance(root, MapNode)
    assert list(root.entries) == ["a"]
    assert problems[0].startswith("t.yaml:2:1: a second document starts")


def test_syntax_error_gives_the_place() -> None:
    root, problems = parse("a: 1\nb: c: d\n")
    assert root is None
    assert problems[0].startswith("t.yaml:2:5: not valid YAML: ")


def test_control_character_gives_the_place() -> None:
    root, problems = parse("a: 1\nb: x\x07y\n")
    assert root is None
    assert problems == ["t.yaml:2:5: control character in the text; remove it"]


@pytest.mark.parametrize("text", ['a: "\\UFFFFFFFF"\n', f"%YAML {'9' * 5_000}.1\n---\na: 1\n"])
def test_number_that_python_cannot_hold_is_a_problem(text: str) -> None:
    root, problems = parse(text)
    assert root is None
    assert "not valid YAML" in problems[0]


def test_key_that_is_no_text_is_a_problem() -> None:
    root, problems = parse("? [a, b]\n: 1\nc: 2\n")
    assert isinstance(root, MapNode)
    assert list(root.entries) == ["c"]
    assert problems == ["t.yaml:1:3: a key must be a text; quote it if it is one"]


def test_tag_builds_nothing_and_is_reported() -> None:
    root, problems = parse("a: !!python/object/apply:os.system ['false']\nb: !x 1\nc: !!str 1\n")
    assert as_data(root) == {"a": ["false"], "b": "1", "c": "1"}  # type: ignore[arg-type]
    assert [problem.split(":")[1] for problem in problems] == ["1", "2"]
    assert "is ignored" in problems[0]
