"""Write the trained weights as GGUF files, in F16 and in Q8_0, for any engine that reads llama.

    python training/export.py --input build/tales --output models

Matrices get the type in the file name; the norms stay in F32. The output matrix is the embedding,
so there is no `output.weight`. Q and K need no permutation: see `tales_model.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from tales_model import ModelConfig
from tokenizer import BOS_ID, EOS_ID

FILE_TYPES = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}
LAYER_TENSORS = {
    "attn_norm": "attn_norm",
    "attn.q": "attn_q",
    "attn.k": "attn_k",
    "attn.v": "attn_v",
    "attn.output": "attn_output",
    "ffn_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
DESCRIPTION = (
    "Writes short children's tales in simple English. Trained from scratch on text from a "
    "grammar; a small model for tests and demonstrations."
)


def main() -> None:
    """Export both files and print their sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--input", type=Path, default=Path("build/tales"), help="of train.py")
    parser.add_argument("--output", type=Path, default=Path("models"), help="folder for the files")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for suffix in FILE_TYPES:
        path = args.output / f"tracepact-tales-{suffix}.gguf"
        write_gguf(args.input, path, suffix)
        print(f"{path}: {path.stat().st_size:,} bytes")


def write_gguf(folder: Path, path: Path, suffix: str) -> None:
    """Write one file; `suffix` is a key of `FILE_TYPES`."""
    quantization, file_type = FILE_TYPES[suffix]
    record = json.loads((folder / "training.json").read_text())
    config = ModelConfig(**record["config"])
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tracepact tales")
    writer.add_author("The tracepact authors")
    writer.add_license("apache-2.0")
    writer.add_description(DESCRIPTION)
    writer.add_size_label(f"{record['parameters'] / 1e6:.2f}M")
    writer.add_languages(["en"])
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_architecture(writer, config)
    add_tokenizer(writer, json.loads((folder / "tokenizer.json").read_text()))
    with np.load(folder / "weights.npz") as weights:
        for name, values in weights.items():
            add_tensor(writer, gguf_name(name), values, quantization)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_architecture(writer: gguf.GGUFWriter, config: ModelConfig) -> None:
    """The sizes that an engine needs to rebuild the network."""
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.ff)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_base)
    writer.add_vocab_size(config.vocab_size)


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: dict[str, Any]) -> None:
    """Tokens and merges of `tokenizer.json`; the split is the one that llama.cpp calls smollm."""
    ids: dict[str, int] = tokenizer["model"]["vocab"]
    merges = [" ".join(pair) for pair in tokenizer["model"]["merges"]]
    types = [gguf.TokenType.NORMAL] * len(ids)
    types[BOS_ID] = types[EOS_ID] = gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(sorted(ids, key=ids.__getitem__))
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(BOS_ID)
    writer.add_eos_token_id(EOS_ID)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)


def gguf_name(name: str) -> str:
    """`layers.2.attn.q.weight` -> `blk.2.attn_q.weight`."""
    if not name.startswith("layers."):
        return {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}[name]
    _, layer, tensor = name.removesuffix(".weight").split(".", 2)
    return f"blk.{layer}.{LAYER_TENSORS[tensor]}.weight"


def add_tensor(
    writer: gguf.GGUFWriter,
    name: str,
    values: npt.NDArray[np.float32],
    quantization: gguf.GGMLQuantizationType,
) -> None:
    """Add float32 values [rows, columns] or a norm [columns] in their stored type."""
    if values.ndim == 1:
        writer.add_tensor(name, values)
    else:
        stored = gguf.quants.quantize(values, quantization)
        writer.add_tensor(name, stored, raw_dtype=quantization)


if __name__ == "__main__":
    main()
