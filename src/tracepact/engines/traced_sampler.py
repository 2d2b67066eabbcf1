"""Choosing tokens, timed and checked like any other operation of a model."""

from __future__ import annotations

import numpy as np

from tracepact.enforce import unchecked
from tracepact.engines.reference.sampling import Sampler
from tracepact.model import ModelTracer
from tracepact.profiling import BrickProfiler
from tracepact.types import Array, BrickId


class TracedSampler:
    """A sampler after the model of an engine that leaves choosing to its caller."""

    def __init__(self, sampler: Sampler, tracer: ModelTracer, profiler: BrickProfiler) -> None:
        self._sample = unchecked(sampler.sample)
        self._tracer = tracer
        self._profiler = profiler

    def __call__(self, logits: Array) -> int:
        """A token id from logits [V]."""
        self._profiler.start(BrickId.Sampling)
        token = int(self._sample(logits))
        self._profiler.stop(BrickId.Sampling)
        fields = {"logits": logits, "vocab_size": logits.size, "ret": np.asarray(token)}
        self._tracer.record_brick(BrickId.Sampling, None, fields)
        self._tracer.report()  # it runs after its pass has been reported
        return token
