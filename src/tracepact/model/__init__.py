"""Five traces of every forward pass, checked against contracts."""

from tracepact.model.batch import Batch, request
from tracepact.model.config import TraceConfig
from tracepact.model.forward import ForwardTraces
from tracepact.model.kv_cache import KvCacheRecord
from tracepact.model.summary import RunSummary, TraceRow
from tracepact.model.tracer import ModelTracer

__all__ = [
    "Batch",
    "ForwardTraces",
    "KvCacheRecord",
    "ModelTracer",
    "RunSummary",
    "TraceConfig",
    "TraceRow",
    "request",
]
