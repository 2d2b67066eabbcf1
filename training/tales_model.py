"""The architecture of the shipped model: a llama small enough to train on one CPU core.

Rotary pairs are adjacent elements (2i, 2i + 1), which is how GGUF files and llama.cpp lay out the
rows of Q and K, so weights export without a permutation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class ModelConfig:
    """Sizes; every row length is a multiple of 32, the block size of Q8_0."""

    vocab_size: int = 1024
    width: int = 128
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    ff: int = 288
    context: int = 512
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        """Elements of one attention head."""
        return self.width // self.heads


class Attention(nn.Module):
    """Causal grouped-query attention: x [B, T, width] -> [B, T, width]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.q = nn.Linear(config.width, config.heads * config.head_dim, bias=False)
        self.k = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.v = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.output = nn.Linear(config.heads * config.head_dim, config.width, bias=False)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """`turns` is complex [T, head_dim / 2], of `rotary_turns`."""
        batch, length, _ = x.shape
        q, k, v = (
            projection(x).view(batch, length, -1, self.head_dim).transpose(1, 2)
            for projection in (self.q, self.k, self.v)
        )
        q, k = rotate(q, turns), rotate(k, turns)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        out: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, length, -1))
        return out


class Layer(nn.Module):
    """Attention and SwiGLU, each behind an RMSNorm and a residual: [B, T, width] both ways."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attn_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.attn = Attention(config)
        self.ffn_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.gate = nn.Linear(config.width, config.ff, bias=False)
        self.up = nn.Linear(config.width, config.ff, bias=False)
        self.down = nn.Linear(config.ff, config.width, bias=False)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """`turns` as for `Attention`."""
        x = x + self.attn(self.attn_norm(x), turns)
        h = self.ffn_norm(x)
        out: Tensor = x + self.down(functional.silu(self.gate(h)) * self.up(h))
        return out


class TalesModel(nn.Module):
    """Token ids [B, T] -> logits [B, T, vocab_size]; the output matrix is the embedding."""

    turns: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.register_buffer("turns", rotary_turns(config), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                residual = name.endswith(("output.weight", "down.weight"))
                scale = (2 * config.layers) ** -0.5 if residual else 1.0  # 2 branches a layer
                nn.init.normal_(parameter, std=scale * config.width**-0.5)
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of all positions; T is at most `context`."""
        x = self.embedding(tokens)
        turns = self.turns[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, turns)
        return functional.linear(self.norm(x), self.embedding.weight)


def rotary_turns(config: ModelConfig) -> Tensor:
    """exp(i·position·frequency), complex64 [context, head_dim / 2]."""
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
    angles = torch.outer(torch.arange(config.context), config.rope_base**-exponents)
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64)


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021) of x [B, H, T, head_dim]."""
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(-2).type_as(x)


@torch.inference_mode()
def greedy(model: TalesModel, prompt: list[int], count: int) -> tuple[list[int], list[float]]:
    """The `count` most likely next tokens one by one, and how far each beat the second best.

    Recomputes the whole sequence at each step: O(count · length²), plain on purpose.
    """
    tokens, gaps = list(prompt), []
    for _ in range(count):
        logits = model(torch.tensor([tokens]))[0, -1]
        best = torch.topk(logits, 2)
        tokens.append(int(best.indices[0]))
        gaps.append(float(best.values[0] - best.values[1]))
    return tokens[len(prompt) :], gaps
