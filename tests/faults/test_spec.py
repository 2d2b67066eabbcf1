"""A fault is named as KIND[@LAYER[.BRICK]]."""

from __future__ import annotations

import pytest

from tracepact.errors import ConfigError
from tracepact.faults import DEFAULT_BRICKS, FaultKind, FaultSpec


@pytest.mark.parametrize(
    ("text", "kind", "layer", "brick"),
    [
        ("nan", FaultKind.NAN, 5, "DownProjection"),
        ("inf@3", FaultKind.INF, 3, "DownProjection"),
        ("nan@3.GateProjection", FaultKind.NAN, 3, "GateProjection"),
        ("row-scale@0", FaultKind.ROW_SCALE, 0, "AttentionSoftmax"),
        ("logit-scale", FaultKind.LOGIT_SCALE, None, "LmHead"),
        ("logit-scale@3", FaultKind.LOGIT_SCALE, None, "LmHead"),
        ("nan@LmHead", FaultKind.NAN, None, "LmHead"),
        ("kv-overflow@9", FaultKind.KV_OVERFLOW, 9, "KvCacheWrite"),
        ("bit-flip@1.QkvProjection", FaultKind.BIT_FLIP, 1, "QkvProjection"),
        ("slow@2.RmsNorm", FaultKind.SLOW, 2, "RmsNorm"),
    ],
)
def test_text_names_kind_layer_and_brick(
    text: str, kind: FaultKind, layer: int | None, brick: str
) -> None:
    assert FaultSpec.parse(text, layers=10) == FaultSpec(kind, layer, brick)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("smoke", "one of the kinds: nan, inf"),
        ("nan@10", "no layer 10"),
        ("nan@-1", "KIND"),
        ("nan@1.", "KIND"),
        ("logit-scale@1.RmsNorm", "hits the brick LmHead"),
        ("", "KIND"),
    ],
)
def test_what_cannot_be_planted_says_why(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        FaultSpec.parse(text, layers=10)


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_has_a_brick_and_reads_back(kind: FaultKind) -> None:
    spec = FaultSpec.parse(kind.value, layers=4)
    assert spec.brick == DEFAULT_BRICKS[kind]
    assert FaultSpec.parse(str(spec), layers=4) == spec
