"""What domain and preconditions say about inputs is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tracepact.contracts import ContractRegistry
from tracepact.testing.domain import Domain, evaluate, read_domain, size

Read = Callable[..., Domain]


@pytest.fixture
def read(registry: Callable[..., ContractRegistry]) -> Read:
    """Read the domain of an equation with these preconditions."""

    def read_one(domain: str, names: Sequence[str], *pre: str) -> Domain:
        found = registry("ret >= 0", pre=pre)
        contract = found.contracts["demo-kernel-v1"]
        equation = replace(contract.equations["demo"], domain=domain)
        before = found.preconditions("demo-kernel-v1", "demo") or ()
        return read_domain(replace(contract, equations={}), [equation], before, names)

    return read_one


def test_axes_that_a_precondition_equates_have_one_name(read: Read) -> None:
    domain = read("x [..., n], weight [d]", ["x", "weight"], "shape(x)[-1] == len(weight)")
    assert domain.shapes["x"][0] == "..."
    assert domain.shapes["x"][-1] == domain.shapes["weight"][0]


def test_fields_of_one_shape_share_it_even_if_none_is_stated(read: Read) -> None:
    domain = read("two streams", ["x", "update"], "shape(x) == shape(update)")
    assert domain.shapes == {"x": ("...", "n"), "update": ("...", "n")}


def test_half_an_axis_makes_the_axis_even(read: Read) -> None:
    domain = read("x [T, hd], cos [T, hd/2]", ["x", "cos"])
    assert ("hd", "2") in domain.multiples
    assert size("hd/2", {"hd": 6}) == 3
    assert size("hd/2", {"hd": 5}) is None


def test_multiples_of_preconditions_are_multiples_of_axes(read: Read) -> None:
    domain = read("x [T, H], keys [KV, S]", ["x", "keys"], "shape(x)[1] % shape(keys)[0] == 0")
    assert domain.multiples == [("H", "KV")]


@pytest.mark.parametrize(
    ("pre", "lowest", "highest"),
    [
        ("0 < x <= 1", [(0.0, True)], [(1.0, False)]),
        ("abs(x) < 65520", [(-65520.0, True)], [(65520.0, True)]),
        ("x in [0, 2)", [(0.0, False)], [(2.0, True)]),
    ],
)
def test_ranges_are_read_from_preconditions(
    read: Read, pre: str, lowest: list[tuple[float, bool]], highest: list[tuple[float, bool]]
) -> None:
    limits = read("x [n]", ["x"], pre).of("x")
    assert [(evaluate(node, {}), strict) for node, strict in limits.lower] == lowest
    assert [(evaluate(node, {}), strict) for node, strict in limits.upper] == highest


def test_ranges_are_read_from_the_words_of_the_domain(read: Read) -> None:
    limits = read("x [n], eps > 0 inside the root", ["x", "eps"]).of("eps")
    assert [(evaluate(node, {}), strict) for node, strict in limits.lower] == [(0.0, True)]


def test_what_counts_up_to_a_size_is_whole(read: Read) -> None:
    domain = read("tokens [T]; weight [V, d]", ["tokens", "weight"], "0 <= tokens < len(weight)")
    assert domain.of("tokens").is_whole
    assert not domain.of("weight").is_whole
    bound, _ = domain.of("tokens").upper[0]
    assert evaluate(bound, {}, {"weight": (7, 2)}) == 7


def test_claims_about_infinities_are_read(read: Read) -> None:
    pre = ("x < inf", "row_max(x) > -inf", "any(x == -inf)", "all(isfinite(y))")
    domain = read("x, y [n]", ["x", "y"], *pre)
    assert domain.of("x").has_finite_rows
    assert domain.of("x").has_masked
    assert not domain.of("x").is_finite
    assert domain.of("y").is_finite
