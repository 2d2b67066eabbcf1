"""MLT-03 on PyTorch: logits against the bound that the head's own weights give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from tracepact.core import row_reduce
from tracepact.core.arrays import as_array
from tracepact.engines.torch.bricks import row_norms
from tracepact.engines.torch.forward import ForwardPass
from tracepact.engines.torch.mapping import ModelMap
from tracepact.engines.torch.structure import dequantised, weight_by_output
from tracepact.model import ModelTracer
from tracepact.model.pass_end import NewLogits
from tracepact.types import Array


class LogitTrace:
    """What MLT-03 needs of one model.

    Looked at is what the head returns, before a scale or a soft cap: both keep the order of
    tokens, and the bound is exact there.
    """

    def __init__(self, mapped: ModelMap) -> None:
        assert mapped.lm_head is not None, "a model without a head has no logits"
        head = mapped.lm_head.module
        self._norm = None if mapped.final_norm is None else mapped.final_norm.module
        self._weight = dequantised(head)
        # Who quantises weights may quantise their input too, and then no bound is known.
        exact = weight_by_output(head)
        self._row_norms: Array | None = None if exact is None else row_norms(exact).cpu().numpy()
        bias: Any = getattr(head, "bias", None)
        bias = bias() if callable(bias) else bias
        self._bias: Array | None = None if bias is None else bias.detach().float().cpu().numpy()

    def alone(self, forward: ForwardPass) -> NewLogits | None:
        """Of a pass with one sequence and one token, what decides on its logits.

        None where the bound is not known.
        """
        if self._row_norms is None or self._bias is not None or forward.hidden is None:
            return None
        x, ret = forward.hidden
        if ret.requires_grad:
            x, ret = x.detach(), ret.detach()
        lens = None if self._norm is None or self._weight is None else self._lens
        values = ret if ret.dtype == torch.float32 else as_array(ret)
        return values, self._row_norms, x, lens

    def newest(
        self, forward: ForwardPass
    ) -> Iterator[tuple[int | None, torch.Tensor, torch.Tensor]]:
        """Of every sequence, what the head was given last and what it gave out."""
        if forward.hidden is None:
            return
        x, ret = (value.detach() for value in forward.hidden)
        if ret.dim() == 2:
            x, ret = x[:, None], ret[:, None]
        for sequence, row in enumerate(forward.newest(ret.shape[1])):
            yield sequence if len(ret) > 1 else None, x[sequence, row], ret[sequence, row]

    def record(
        self, tracer: ModelTracer, sequence: int | None, x: torch.Tensor, ret: torch.Tensor
    ) -> None:
        """Hand the newest logits of a sequence to the tracer; the last one's are kept.

        Args:
            tracer: Takes them.
            sequence: Of the batch.
            x: [d], what the head was given.
            ret: [vocabulary], what it gave out.
        """
        values = as_array(ret)
        tracer.record_logits(
            values if self._bias is None else values - self._bias,
            row_norms=self._row_norms,
            hidden_norm=float(row_reduce("row_norms", as_array(x))),
            lens=None if self._norm is None or self._weight is None else self._lens,
            sequence=sequence,
        )

    def _lens(self, hidden: Array, tokens: Array | None) -> Array:
        """Logits that residual streams [n, d] would give: final norm, then head."""
        weight = self._weight
        assert self._norm is not None, "else there is no lens"
        assert weight is not None, "nor then"
        with torch.no_grad():
            x = torch.from_numpy(hidden.astype(np.float32)).to(weight.device, weight.dtype)
            x = self._norm.forward(x)
            rows = weight if tokens is None else weight[torch.from_numpy(tokens)]
            logits: Array = (x @ rows.T).float().cpu().numpy()
        return logits
