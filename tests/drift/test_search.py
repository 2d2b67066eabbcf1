"""Search finds what is asked for, best first, and says where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracepact.contracts import ContractRegistry
from tracepact.drift.search import PARTS, Hit, Passage, passages, place_of, search


@pytest.fixture(scope="module")
def library() -> list[Passage]:
    contracts = ContractRegistry.builtin().contracts.values()
    return [each for contract in contracts for each in passages(contract)]


def first(query: str, among: list[Passage], part: str = "") -> Hit:
    return search(query, [each for each in among if part in ("", each.part)], 1)[0]


@pytest.mark.parametrize(
    ("query", "part", "contract", "name"),
    [
        ("rows sum to one", "obligation", "softmax-kernel-v1", "Output sums to 1"),
        ("softmax", "equation", "softmax-kernel-v1", "softmax"),
        ("attention", "contract", "attention-kernel-v1", "attention-kernel-v1"),
        ("softmax kernel v1", "", "softmax-kernel-v1", "softmax-kernel-v1"),
        ("Online normalizer calculation", "contract", "log-softmax-v1", "log-softmax-v1"),
        ("head mapping", "equation", "gqa-kernel-v1", "head_mapping"),
    ],
)
def test_best_hit_is_what_a_reader_would_expect(
    query: str, part: str, contract: str, name: str, library: list[Passage]
) -> None:
    found = first(query, library, part).passage
    assert (found.contract.stem, found.name) == (contract, name)


def test_every_part_of_a_contract_can_be_found(library: list[Passage]) -> None:
    assert {each.part for each in library} == set(PARTS)


def test_plural_and_parts_of_names_find_each_other(library: list[Passage]) -> None:
    one = search("exponential", library, 50)
    assert [h.passage for h in one] == [h.passage for h in search("Exponentials", library, 50)]
    assert first("row", library, "postcondition").spans


def test_spans_mark_the_words_that_were_asked_for(library: list[Passage]) -> None:
    hit = first("finite output", library, "obligation")
    assert {hit.text[a:b].lower() for a, b in hit.spans} <= {"finite", "output"}
    assert hit.spans


def test_place_is_where_the_text_stands(library: list[Passage]) -> None:
    hit = first("exp max sum softmax formula", library, "equation")
    place = place_of(hit)
    line = Path(place.file).read_text().splitlines()[place.line - 1]
    assert line[(place.column or 0) - 1 :].startswith(hit.text[:20])
    hit = first("softmax", library, "contract")
    assert place_of(hit).line > 1


@pytest.mark.parametrize("query", ["qqqq", "!!!", "→"])
def test_what_is_nowhere_is_not_found(query: str, library: list[Passage]) -> None:
    assert search(query, library, 5) == []


def test_empty_query_gives_everything_up_to_the_limit(library: list[Passage]) -> None:
    assert [hit.passage for hit in search("", library, 3)] == library[:3]
    assert search("x", [], 3) == []


@given(st.text(max_size=50))
def test_any_query_gives_hits_in_order(text: str) -> None:
    found = search(
        text, list(passages(ContractRegistry.builtin().contracts["softmax-kernel-v1"])), 9
    )
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= a < b <= len(hit.text) for hit in found for a, b in hit.spans)
