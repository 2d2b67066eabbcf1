"""Claims about the ends of layers, which need no hooks of their own once a prompt has shown it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import tracepact as tp
from tracepact.core import native_core

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")
pytest.importorskip("transformers", reason="needs tracepact[torch]")
sys.path.insert(0, str(Path(__file__).parent))

import families  # noqa: E402
from watched import Watched  # noqa: E402

from tracepact.engines.torch.boundaries import Boundaries  # noqa: E402

pytestmark = pytest.mark.skipif(native_core() is None, reason="the Python core keeps all hooks")

FAMILIES = sorted(families.CONFIGS)
SLOT = "_compiled_call_impl"


def steps(model: Any, ids: list[list[int]], cache: Any = None) -> Any:
    for each in ids:
        with torch.inference_mode():
            given = torch.tensor([each])
            cache = model(input_ids=given, past_key_values=cache, use_cache=True).past_key_values
    return cache


def points(tracer: Any) -> list[tuple[int | None, str, float]]:
    return [
        (each.layer, each.point, pytest.approx(each.stats.l2, rel=1e-6))
        for each in tracer.last.activations
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_decoded_token_leaves_what_hooks_on_every_layer_see(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for is_learnt in (True, False):
        if not is_learnt:
            monkeypatch.setattr(Boundaries, "saw", lambda *_: None)
        model, watched = families.build(family), Watched()
        with tp.trace(model, layer=watched.layer) as tracer:
            steps(model, [[3, 4, 5], [6], [7]])
            found.append((points(tracer), tracer.last.logits.hidden))
        assert watched.violations == []
    assert found[0][0] == found[1][0]
    assert len(found[0][1]) == len(found[1][1])


def test_hooks_of_layers_rest_in_decoded_tokens_and_come_back_for_a_prompt() -> None:
    model = families.build("llama")
    layers = model.model.layers
    with tp.trace(model, layer=Watched().layer):
        cache = steps(model, [[3, 4, 5]])
        assert all(SLOT in layer.__dict__ for layer in layers)
        assert layers[0]._forward_pre_hooks
        cache = steps(model, [[6], [7]], cache)
        assert not any(SLOT in layer.__dict__ for layer in layers)
        assert not layers[0]._forward_pre_hooks
        steps(model, [[3, 4]])
        assert all(SLOT in layer.__dict__ for layer in layers)
    assert not any(SLOT in each.__dict__ or each._forward_pre_hooks for each in model.modules())


@pytest.mark.parametrize("layer", range(families.LAYERS))
def test_fault_at_the_end_of_a_layer_is_named_there_in_a_decoded_token(layer: int) -> None:
    model, watched = families.build("llama"), Watched()
    with tp.trace(model, layer=watched.layer):
        cache = steps(model, [[3, 4, 5], [6]])

        def spoil(module: Any, arguments: Any, output: Any) -> Any:
            spoilt = (output[0] if isinstance(output, tuple) else output).clone()
            spoilt[..., 1] = float("nan")
            return (spoilt, *output[1:]) if isinstance(output, tuple) else spoilt

        model.model.layers[layer].register_forward_hook(spoil)
        steps(model, [[7]], cache)
    root = watched.violations[0]
    assert (root.layer, root.trace, root.role) == (layer, "MLT-01", "root")
