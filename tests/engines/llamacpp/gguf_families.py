"""Small random GGUF files of several architectures; no vocabulary, token ids are plain numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

VOCABULARY = 97
LAYERS = 3
WIDTH = 64
HEADS, KV_HEADS, HEAD_WIDTH = 4, 2, 16
HIDDEN = 96
EXPERTS = 4
POSITIONS = 512
FAMILIES = ("llama", "qwen2", "qwen3", "mixtral", "stablelm", "gemma2", "gpt2")


def write(path: Path, family: str, kind: str = "F32") -> Path:
    """A GGUF file of this family, matrices stored as `kind`."""
    architecture = "llama" if family == "mixtral" else family
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("no_vocab")
    if family in ("gpt2", "stablelm"):
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_layer_norm_rms_eps(1e-5)
    if family != "gpt2":
        writer.add_head_count_kv(KV_HEADS)
        writer.add_key_length(HEAD_WIDTH)
        writer.add_value_length(HEAD_WIDTH)
        writer.add_rope_dimension_count(HEAD_WIDTH)
        writer.add_rope_freq_base(10000.0)
    if family == "gemma2":
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)
        writer.add_sliding_window(32)
    if family == "mixtral":
        writer.add_expert_count(EXPERTS)
        writer.add_expert_used_count(2)
    random = np.random.default_rng(7)
    for name, shape in _tensors(family).items():
        _add(writer, random, name, shape, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: Any, random: Any, name: str, shape: tuple[int, ...], kind: str) -> None:
    if name.endswith("norm.weight"):
        value = random.uniform(0.5, 1.5, shape)
    elif name.endswith(".bias"):
        value = random.normal(0, 0.1, shape)
    else:
        value = random.normal(0, 1 / np.sqrt(shape[-1]), shape)
    value = value.astype(np.float32)
    if kind == "F32" or len(shape) < 2 or "position" in name or "gate_inp" in name:
        writer.add_tensor(name, value)
        return
    quantised = getattr(gguf.GGMLQuantizationType, kind)
    writer.add_tensor(name, gguf.quants.quantize(value, quantised), raw_dtype=quantised)


def _tensors(family: str) -> dict[str, tuple[int, ...]]:
    query, key = HEADS * HEAD_WIDTH, KV_HEADS * HEAD_WIDTH
    found: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (VOCABULARY, WIDTH),
        "output_norm.weight": (WIDTH,),
        "output.weight": (VOCABULARY, WIDTH),
    }
    if family == "gpt2":
        found |= {"position_embd.weight": (POSITIONS, WIDTH), "output_norm.bias": (WIDTH,)}
    if family == "stablelm":
        found["output_norm.bias"] = (WIDTH,)
    if family == "gemma2":
        del found["output.weight"]  # tied
    for layer in range(LAYERS):
        of = {"attn_norm.weight": (WIDTH,), "ffn_norm.weight": (WIDTH,)}
        of["attn_output.weight"] = (WIDTH, query)
        of["ffn_up.weight"], of["ffn_down.weight"] = (HIDDEN, WIDTH), (WIDTH, HIDDEN)
        if family == "gpt2":
            of["attn_qkv.weight"] = (3 * WIDTH, WIDTH)
            sizes = {"attn_qkv": 3 * WIDTH, "ffn_up": HIDDEN}
            names = ("attn_norm", "ffn_norm", "attn_output", "ffn_down", "attn_qkv", "ffn_up")
            of |= {f"{name}.bias": (sizes.get(name, WIDTH),) for name in names}
        else:
            of |= {"attn_q.weight": (query, WIDTH), "attn_k.weight": (key, WIDTH)}
            of |= {"attn_v.weight": (key, WIDTH), "ffn_gate.weight": (HIDDEN, WIDTH)}
        if family == "stablelm":
            of |= {"attn_norm.bias": (WIDTH,), "ffn_norm.bias": (WIDTH,)}
        if family == "qwen2":
            of |= {"attn_q.bias": (query,), "attn_k.bias": (key,), "attn_v.bias": (key,)}
        if family == "qwen3":
            of |= {f"attn_{part}_norm.weight": (HEAD_WIDTH,) for part in "qk"}
        if family == "gemma2":
            of |= {f"post_{part}_norm.weight": (WIDTH,) for part in ("attention", "ffw")}
        if family == "mixtral":
            for part in ("gate", "up", "down"):
                rows, columns = of.pop(f"ffn_{part}.weight")
                of[f"ffn_{part}_exps.weight"] = (EXPERTS, rows, columns)
            of["ffn_gate_inp.weight"] = (EXPERTS, WIDTH)
        found |= {f"blk.{layer}.{name}": shape for name, shape in of.items()}
    return found
