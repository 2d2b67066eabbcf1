"""A random GGUF of the size of a small language model, for what has no weights to download."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

LAYERS, WIDTH, HIDDEN, VOCABULARY = 24, 896, 4864, 32000
HEADS, KV_HEADS, HEAD_WIDTH = 14, 2, 64
POSITIONS = 4096
_BLOCK = 32


def write(path: Path) -> Path:
    """A llama of 0.39 billion weights in Q8_0, 410 MB; its text says nothing."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HEAD_WIDTH)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("no_vocab")
    random = np.random.default_rng(0)

    def matrix(name: str, rows: int, columns: int) -> None:
        blocks = np.empty((rows, columns // _BLOCK, 2 + _BLOCK), np.uint8)
        scale = np.float16(1 / (73 * np.sqrt(columns)))  # of numbers spread evenly up to 127
        blocks[..., :2] = np.frombuffer(scale.tobytes(), np.uint8)
        blocks[..., 2:] = random.integers(-127, 128, blocks[..., 2:].shape, np.int8).view(np.uint8)
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, blocks.reshape(rows, -1), raw_dtype=kind)

    def norm(name: str) -> None:
        writer.add_tensor(name, random.uniform(0.5, 1.5, WIDTH).astype(np.float32))

    matrix("token_embd.weight", VOCABULARY, WIDTH)
    matrix("output.weight", VOCABULARY, WIDTH)
    norm("output_norm.weight")
    for layer in range(LAYERS):
        at = f"blk.{layer}."
        norm(f"{at}attn_norm.weight")
        norm(f"{at}ffn_norm.weight")
        matrix(f"{at}attn_q.weight", HEADS * HEAD_WIDTH, WIDTH)
        matrix(f"{at}attn_k.weight", KV_HEADS * HEAD_WIDTH, WIDTH)
        matrix(f"{at}attn_v.weight", KV_HEADS * HEAD_WIDTH, WIDTH)
        matrix(f"{at}attn_output.weight", WIDTH, HEADS * HEAD_WIDTH)
        matrix(f"{at}ffn_gate.weight", HIDDEN, WIDTH)
        matrix(f"{at}ffn_up.weight", HIDDEN, WIDTH)
        matrix(f"{at}ffn_down.weight", WIDTH, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
