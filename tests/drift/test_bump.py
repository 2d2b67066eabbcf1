"""Which version announces what."""

from __future__ import annotations

import pytest

from tracepact.drift.bump import Bump, announces, is_version, required_version


@pytest.mark.parametrize(
    ("old", "bump", "least"),
    [
        ("1.2.3", Bump.MAJOR, "2.0.0"),
        ("1.2.3", Bump.MINOR, "1.3.0"),
        ("1.2.3", Bump.PATCH, "1.2.4"),
        ("1.2.3", Bump.NONE, "1.2.3"),
        ("0.2.3", Bump.MAJOR, "0.3.0"),
        ("0.2.3", Bump.MINOR, "0.2.4"),
        ("0.2.3", Bump.PATCH, "0.2.4"),
        ("1.2.3-rc.1+build", Bump.MINOR, "1.3.0"),
    ],
)
def test_least_version_announces_and_the_one_before_does_not(
    old: str, bump: Bump, least: str
) -> None:
    assert required_version(old, bump) == least
    assert announces(old, least, bump)
    assert announces(old, "9.0.0", bump)
    if bump is not Bump.NONE:
        assert not announces(old, old, bump)


@pytest.mark.parametrize("text", ["", "1", "1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.x", "9" * 99])
def test_text_that_is_no_version_is_refused(text: str) -> None:
    assert not is_version(text)
    assert required_version(text, Bump.MAJOR) is None
    assert not announces(text, "9.0.0", Bump.NONE)
