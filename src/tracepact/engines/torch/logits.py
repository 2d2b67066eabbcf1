"""MLT-03 on PyTorch: logits against the bound that the head's own weights give."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from tracepact.core import row_reduce
from tracepact.core.arrays import as_array
from tracepact.engines.torch.bricks import row_norms
from tracepact.engines.torch.forward import ForwardPass
from tracepact.engines.torch.mapping import ModelMap
from tracepact.model import ModelTracer
from tracepact.types import Array


class LogitTrace:
    """What MLT-03 needs of one model.

    Looked at is what the head returns, before a scale or a soft cap: both keep the order of
    tokens, and the bound is exact there.
    """

    def __init__(self, mapped: ModelMap) -> None:
        assert mapped.lm_head is not None, "a model without a head has no logits"
        self._head = mapped.lm_head.module
        self._norm = None if mapped.final_norm is None else mapped.final_norm.module
        weight: Any = self._head.weight
        self._row_norms: Array = row_norms(weight.detach()).cpu().numpy()
        bias: Any = getattr(self._head, "bias", None)
        self._bias: Array | None = None if bias is None else bias.detach().float().cpu().numpy()

    def record(self, tracer: ModelTracer, forward: ForwardPass) -> None:
        """Hand the newest logits of every sequence to the tracer; the last one's are kept."""
        if forward.hidden is None:
            return
        x, ret = (value.detach() for value in forward.hidden)
        if ret.dim() == 2:
            x, ret = x[:, None], ret[:, None]
        for sequence, row in enumerate(forward.newest(ret.shape[1])):
            values, hidden = as_array(ret[sequence, row]), as_array(x[sequence, row])
            tracer.record_logits(
                values if self._bias is None else values - self._bias,
                row_norms=self._row_norms,
                hidden_norm=float(row_reduce("row_norms", hidden)),
                lens=self._lens if self._norm is not None else None,
                sequence=sequence if len(ret) > 1 else None,
            )

    def _lens(self, hidden: Array, tokens: Array | None) -> Array:
        """Logits that residual streams [n, d] would give: final norm, then head."""
        assert isinstance(self._norm, nn.Module), "else there is no lens"
        weight: Any = self._head.weight
        with torch.no_grad():
            x = torch.from_numpy(hidden.astype(np.float32)).to(weight.device, weight.dtype)
            x = self._norm.forward(x)
            rows = weight if tokens is None else weight[torch.from_numpy(tokens)]
            logits: Array = (x @ rows.T).float().cpu().numpy()
        return logits
