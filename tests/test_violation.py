"""What is reported when a contract does not hold, as text and as plain data."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from typing import Any

import pytest

from tracepact.types import SourceLocation
from tracepact.violation import NOWHERE, CallSite, Context, Violation


def violation(**changes: Any) -> Violation:
    values: dict[str, Any] = {
        "contract": "softmax-kernel-v1",
        "equation": "softmax",
        "obligation": "Output sums to 1",
        "expression": "abs(row_sums(ret) - 1) <= tol",
        "measured": {"row_sums(ret)[2]": 0.93},
        "kind": "postcondition",
        "verdict": "failed",
        "index": (2,),
        "location": CallSite("app.py", 7),
        "source": SourceLocation("softmax.yaml", 14, 9),
        "layer": None,
        "brick": None,
        "trace": None,
        "step": None,
        "time_unix_ns": 1,
        "explanation": "row_sums(ret)[2] = 0.93",
    }
    return Violation(**(values | changes))


def test_message_says_what_and_where_in_one_line() -> None:
    assert violation().message == (
        "TIER3: contract postcondition violated: softmax-kernel-v1/softmax “Output sums to 1”: "
        "row_sums(ret)[2] = 0.93 [softmax.yaml:14:9]"
    )


def test_message_names_the_place_in_the_model() -> None:
    placed = violation(layer=0, brick="AttentionSoftmax", trace="MLT-02", step=0)
    assert placed.message.startswith(
        "TIER3: contract postcondition violated at layer 0, AttentionSoftmax, MLT-02, step 0: "
    )


@pytest.mark.parametrize("verdict", ["unbound", "error"])
def test_message_of_what_was_not_checked_claims_no_violation(verdict: str) -> None:
    message = violation(verdict=verdict, kind="precondition").message
    assert message.startswith(f"TIER3: contract precondition not checked ({verdict}): ")
    assert "violated" not in message


def test_plain_data_has_every_field_and_is_strict_json() -> None:
    measured = {"a": math.nan, "b": -math.inf, "shape(x)": (2, 3), "dtype(x)": "int8", "c": 1.0}
    data = violation(measured=measured, layer=3).to_dict()
    assert set(data) == {field.name for field in dataclasses.fields(Violation)}
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["measured"] == {
        "a": "nan",
        "b": "-inf",
        "shape(x)": [2, 3],
        "dtype(x)": "int8",
        "c": 1.0,
    }
    assert data["location"] == {"file": "app.py", "line": 7}
    assert data["source"] == {"file": "softmax.yaml", "line": 14, "column": 9}
    assert (data["index"], data["layer"], data["message"]) == ([2], 3, violation(layer=3).message)
    assert violation(index=None).to_dict()["index"] is None


def test_violation_is_a_value() -> None:
    assert violation() == violation()
    assert pickle.loads(pickle.dumps(violation())) == violation()
    assert dataclasses.replace(violation(), layer=4).message == violation(layer=4).message


def test_context_is_nowhere_by_default() -> None:
    assert Context() == NOWHERE
    assert (NOWHERE.layer, NOWHERE.brick, NOWHERE.trace, NOWHERE.step) == (None,) * 4
