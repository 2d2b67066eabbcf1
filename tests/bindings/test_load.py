"""A binding file is read leniently: what is wrong is said with its place, the rest counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.bindings import Bindings, load_bindings

Write = Callable[[str], Path]

ENTRY = """\
version: "1"
target: demo
critical_path: [softmax-kernel-v1.yaml]
bindings:
  - contract: softmax-kernel-v1.yaml
    equation: softmax
    module_path: demo.kernels
    function: softmax
    signature: "(x)"
    status: implemented
    notes: "why: because"
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "binding.yaml"
        path.write_text(text)
        return path

    return write


def problems(bindings: Bindings) -> list[str]:
    return [str(problem).rpartition("binding.yaml:")[2] for problem in bindings.problems]


def test_entry_has_every_field_and_its_place(write: Write) -> None:
    bindings = load_bindings(write(ENTRY))
    (entry,) = bindings.entries
    assert bindings.problems == ()
    assert (bindings.version, bindings.target) == ("1", "demo")
    assert bindings.critical_path == ("softmax-kernel-v1",)
    assert (entry.contract, entry.equation) == ("softmax-kernel-v1", "softmax")
    assert (entry.qualname, entry.signature) == ("demo.kernels:softmax", "(x)")
    assert (entry.status, entry.notes) == ("implemented", "why: because")
    assert (entry.location.line, entry.location.column) == (5, 5)
    assert entry.variable == "CONTRACT_SOFTMAX_KERNEL_V1_SOFTMAX"


def test_contract_is_found_with_and_without_suffix(write: Write) -> None:
    bindings = load_bindings(write(ENTRY))
    assert bindings.get("softmax-kernel-v1", "softmax") == bindings.entries
    assert bindings.get("softmax-kernel-v1.yaml", "softmax") == bindings.entries
    assert bindings.get("softmax-kernel-v1", "masking") == ()


def test_file_that_is_not_there_gives_source_none(tmp_path: Path) -> None:
    assert load_bindings(None).source == "none"
    assert load_bindings(tmp_path / "binding.yaml").source == "none"
    assert load_bindings(tmp_path / "binding.yaml").problems == ()


def test_unknown_status_is_said_with_its_place_and_what_is_near(write: Write) -> None:
    bindings = load_bindings(write(ENTRY.replace("status: implemented", "status: implementd")))
    assert bindings.entries == ()
    assert problems(bindings) == [
        "10:13: bindings[0].status: unknown status 'implementd'; the entry is not used; did you "
        "mean 'implemented'? known: implemented, not_implemented, partial, pending"
    ]


def test_unknown_field_is_said_and_the_entry_counts(write: Write) -> None:
    bindings = load_bindings(write(ENTRY.replace("notes:", "note:")))
    assert len(bindings.entries) == 1
    assert problems(bindings)[0].startswith(
        "11:5: bindings[0]: unknown field 'note'; did you mean 'notes'?"
    )


def test_missing_fields_are_named(write: Write) -> None:
    text = ENTRY.replace("    equation: softmax\n", "").replace("    status: implemented\n", "")
    bindings = load_bindings(write(text))
    assert bindings.entries == ()
    assert [p.partition(": ")[2].partition(";")[0] for p in problems(bindings)] == [
        "bindings[0]: no status",
        "bindings[0]: no equation",
    ]


@pytest.mark.parametrize("text", ["", "[]", "bindings: 3", "a: b", "\0", "{", "bindings:\n- 3"])
def test_file_of_another_kind_gives_a_problem_and_no_entry(write: Write, text: str) -> None:
    bindings = load_bindings(write(text))
    assert bindings.entries == ()
    assert bindings.problems


def test_files_of_the_original_tool_are_understood(write: Write) -> None:
    bindings = load_bindings(
        write(
            ENTRY.replace("target:", "target_crate:").replace(
                "demo.kernels", '"demo::nn::functional"'
            )
            + "module_root: demo\n"
        )
    )
    assert (bindings.target, bindings.problems) == ("demo", ())
    assert bindings.entries[0].module_path == "demo::nn::functional"


@given(text=st.text(st.sampled_from("abc:-[]{}'\"\n &*!|>#%?,"), max_size=80))
def test_no_text_raises(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("b") / "binding.yaml"
    path.write_text(f"bindings:\n{text}")
    load_bindings(path)


CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of foreign contracts is not here")
def test_binding_files_in_the_wild_load_with_every_entry() -> None:
    found = [load_bindings(path) for path in sorted(CORPUS.rglob("*binding*.yaml"))]
    assert [len(bindings.entries) for bindings in found if bindings.entries]
    for bindings in found:
        assert bindings.entries, bindings.source
