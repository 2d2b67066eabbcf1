"""tensor-shape-flow-v1: the places of a layer where shapes meet."""

from __future__ import annotations

from tracepact.enforce import contract
from tracepact.kernels.activations import swiglu
from tracepact.kernels.embeddings import tied_logits
from tracepact.kernels.precision import narrow, wide
from tracepact.types import Array


@contract("tensor-shape-flow-v1", "residual")
def residual_add(x: Array, update: Array) -> Array:
    """`x + update`, both [T, d]."""
    return narrow(wide(x) + wide(update), x, update)


@contract("tensor-shape-flow-v1", "feed_forward")
def feed_forward(x: Array, gate: Array, up: Array, down: Array) -> Array:
    """The end of a gated feed-forward block.

    Args:
        x: What enters the block [T, d]; only a check reads it.
        gate: Gate projection of x [T, ff].
        up: Up projection of x [T, ff].
        down: Weight [d, ff].

    Returns:
        [T, d] in the dtype of gate, up and down.
    """
    return narrow(swiglu(wide(gate), wide(up)) @ wide(down).T, gate, up, down)


@contract("tensor-shape-flow-v1", "logits_shape", bind={"logits": "ret"})
def output_head(x: Array, embedding: Array, vocab: int) -> Array:
    """Logits [T, vocab] of x [T, d]; embedding [vocab, d]."""
    return tied_logits(x, embedding)
