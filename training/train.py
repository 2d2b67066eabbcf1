"""Train the shipped model on generated tales: one CPU thread, one seed, about half an hour.

    python training/train.py --output build/tales

Writes `tokenizer.json`, `weights.npz` and `training.json` (sizes, losses, time) into the output
folder; `export.py` turns them into GGUF files.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from tales import Grammar
from tales_model import ModelConfig, TalesModel
from tokenizer import BOS_ID, EOS_ID, train_tokenizer
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

TOKENIZER_TALES = 5_000
HELD_OUT_START = 10_000_000  # index of the first tale that is never trained on
HELD_OUT_ROWS = 48
REPORT_STEPS = 250
WARM_UP_STEPS = 50
DECAY_SHARE = 0.4  # of all steps, at the end


@dataclass(frozen=True)
class Phase:
    """A part of the training: how many steps, with how many rows of how many tokens."""

    steps: int
    rows: int
    length: int


def main() -> None:
    """Train and save."""
    args = parse_arguments()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    config = ModelConfig()
    # About one tale a row first, since names are easier to follow without the tale before.
    phases = (Phase(args.short_steps, 4, 256), Phase(args.long_steps, 4, config.context))

    grammar = Grammar.load()
    tokenizer = train_tokenizer(grammar.tales(args.seed, 0, TOKENIZER_TALES), config.vocab_size)
    tokenizer.save(str(args.output / "tokenizer.json"))
    texts = grammar.tales(args.seed, 0, HELD_OUT_START)
    unseen = grammar.tales(args.seed, HELD_OUT_START, HELD_OUT_START)
    held_out = next(batches(tokenizer, unseen, Phase(1, HELD_OUT_ROWS, config.context)))

    model = TalesModel(config)
    optimizers = make_optimizers(model, args)
    schedules = make_schedules(optimizers, sum(phase.steps for phase in phases))
    started, step = time.perf_counter(), 0
    for phase in phases:
        stream = batches(tokenizer, texts, phase)
        losses = []
        for batch in track(stream, f"rows of {phase.length} tokens", phase.steps):
            step += 1
            losses.append(train_step(model, batch, optimizers, schedules))
            if step % REPORT_STEPS == 0:
                seconds = time.perf_counter() - started
                print(f"step {step}: {np.mean(losses[-REPORT_STEPS:]):.4f} nats, {seconds:.0f} s")
    record = {
        "config": asdict(config),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "arguments": {name: value for name, value in vars(args).items() if name != "output"},
        "tokens": sum(phase.steps * phase.rows * phase.length for phase in phases),
        "seconds": round(time.perf_counter() - started),
        "final_training_loss": round(float(np.mean(losses[-REPORT_STEPS:])), 4),
        "held_out_loss": round(evaluate(model, held_out), 4),
    }
    (args.output / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    np.savez(args.output / "weights.npz", **{k: v.numpy() for k, v in model.state_dict().items()})
    print(json.dumps(record, indent=2))


def parse_arguments() -> argparse.Namespace:
    """Command line; the defaults reproduce the shipped model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=Path("build/tales"))
    parser.add_argument("--short-steps", type=int, default=8_000, help="with rows of 256 tokens")
    parser.add_argument("--long-steps", type=int, default=1_500, help="with rows of 512 tokens")
    parser.add_argument("--muon-learning-rate", type=float, default=0.01, help="of the layers")
    parser.add_argument("--adam-learning-rate", type=float, default=0.01, help="of the embedding")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def batches(tokenizer: Tokenizer, texts: Iterator[str], phase: Phase) -> Iterator[Tensor]:
    """`steps` batches, int64 [rows, length + 1]: tales between bos and eos, back to back.

    Every row begins with a new tale, and no tale is used twice.
    """
    for _ in range(phase.steps):
        rows = []
        for _ in range(phase.rows):
            ids: list[int] = []
            while len(ids) <= phase.length:
                ids += [BOS_ID, *tokenizer.encode(next(texts)).ids, EOS_ID]
            rows.append(ids[: phase.length + 1])
        yield torch.tensor(rows)


def make_optimizers(model: TalesModel, args: argparse.Namespace) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the layers' matrices, AdamW for the embedding and norms."""
    matrices = [p for p in model.layers.parameters() if p.ndim == 2]
    others = [model.embedding.weight, *(p for p in model.parameters() if p.ndim == 1)]
    return [
        torch.optim.Muon(matrices, lr=args.muon_learning_rate, weight_decay=0.0),
        torch.optim.AdamW(
            others, lr=args.adam_learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        ),
    ]


def make_schedules(
    optimizers: list[torch.optim.Optimizer], steps: int
) -> list[torch.optim.lr_scheduler.LambdaLR]:
    """Warm up, hold, then fall linearly to zero."""

    def factor(step: int) -> float:
        return min((step + 1) / WARM_UP_STEPS, (steps - step) / (DECAY_SHARE * steps), 1.0)

    return [torch.optim.lr_scheduler.LambdaLR(optimizer, factor) for optimizer in optimizers]


def train_step(
    model: TalesModel,
    batch: Tensor,
    optimizers: list[torch.optim.Optimizer],
    schedules: list[torch.optim.lr_scheduler.LambdaLR],
) -> float:
    """One update; returns the loss before it, in nats a token."""
    loss = token_loss(model, batch)
    model.zero_grad()
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer, schedule in zip(optimizers, schedules, strict=True):
        optimizer.step()
        schedule.step()
    return loss.item()


def token_loss(model: TalesModel, batch: Tensor) -> Tensor:
    """Mean cross-entropy of each next token of a batch [rows, length + 1]."""
    logits = model(batch[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


@torch.inference_mode()
def evaluate(model: TalesModel, rows: Tensor) -> float:
    """Mean loss of held-out rows, in nats a token."""
    return float(np.mean([token_loss(model, row[None]).item() for row in rows]))


if __name__ == "__main__":
    main()
