"""Types that more than one room uses."""

from __future__ import annotations

import pytest

from tracepact.types import BrickCategory, BrickId, SourceLocation, brick_category


@pytest.mark.parametrize(
    ("location", "text"),
    [
        (SourceLocation("c.yaml", 3, 9), "c.yaml:3:9"),
        (SourceLocation("c.yaml", 3), "c.yaml:3"),
        (SourceLocation("c.yaml", 3, 0), "c.yaml:3:0"),
    ],
)
def test_location_reads_as_editors_understand_it(location: SourceLocation, text: str) -> None:
    assert str(location) == text


def test_locations_sort_by_place() -> None:
    places = [SourceLocation("b", 1, 1), SourceLocation("a", 2, 1), SourceLocation("a", 1, 9)]
    assert [str(place) for place in sorted(places)] == ["a:1:9", "a:2:1", "b:1:1"]


def test_every_known_brick_has_a_category() -> None:
    groups = {brick: brick.category for brick in BrickId}
    assert groups[BrickId.RmsNorm] is BrickCategory.NORM
    assert groups[BrickId.AttentionSoftmax] is BrickCategory.ATTENTION
    assert groups[BrickId.Activation] is BrickCategory.FFN
    assert [b.name for b, c in groups.items() if c is BrickCategory.OTHER] == [
        "Embedding",
        "LmHead",
        "Sampling",
    ]


def test_brick_is_its_name() -> None:
    assert all(brick == brick.name for brick in BrickId)


@pytest.mark.parametrize(
    ("name", "category"), [("RmsNorm", "Norm"), ("KvCacheWrite", "Other"), ("", "Other")]
)
def test_free_names_belong_to_the_category_other(name: str, category: str) -> None:
    assert brick_category(name) == category
