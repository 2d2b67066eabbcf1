"""embedding-lookup-v1 and tied-embeddings-v1."""

from __future__ import annotations

import numpy as np

from tracepact.enforce import contract
from tracepact.kernels.precision import narrow, wide
from tracepact.types import Array


@contract("embedding-lookup-v1", "lookup")
@contract("embedding-lookup-v1", "row_copy")
def embedding(tokens: Array, weight: Array, rows: Array | None = None) -> Array:
    """The rows of a table that tokens name, bit by bit.

    Args:
        tokens: [T], whole numbers in [0, V).
        weight: [V, d].
        rows: The same rows [T, d] by another path; only a check reads them.

    Returns:
        [T, d], a copy in the dtype of weight.
    """
    return np.stack([weight[token] for token in tokens.tolist()])


@contract("embedding-lookup-v1", "narrow_table")
def narrow_embedding(tokens: Array, weight: Array, rows: Array | None = None) -> Array:
    """Rows [T, d] of a table that is held in float16, as float32.

    Args:
        tokens: [T], whole numbers in [0, V).
        weight: [V, d], of magnitudes in [2⁻¹⁴, 65504], or 0.
        rows: The rows before they were narrowed; only a check reads them.
    """
    return weight.astype(np.float16)[tokens].astype(np.float32)


@contract("tied-embeddings-v1", "tying", bind={"output": "ret"})
def tied_output(embedding: Array) -> Array:
    """The output matrix of a model with tied embeddings: the table [V, d] itself, no copy."""
    return embedding


@contract("tied-embeddings-v1", "logits")
def tied_logits(x: Array, embedding: Array) -> Array:
    """`x · embeddingᵀ`, summed in float64; x [T, d], embedding [V, d]; [T, V] in their dtype.

    Source: Press & Wolf 2017, arXiv:1608.05859.
    """
    return narrow(wide(x) @ wide(embedding).T, x, embedding)


@contract("tied-embeddings-v1", "parameter_saving", bind={"tied_params": "ret"})
def tied_parameters(untied_params: int, vocab: int, hidden: int) -> int:
    """Parameters of a model of `untied_params` once one [vocab, hidden] table serves both ends."""
    return untied_params - vocab * hidden
