"""Contract-aware tracing for numeric kernels and LLM inference.

What ought to hold of a kernel is written once, in a YAML contract; tracepact checks it while the
program runs.

    import tracepact as tp

    layer = tp.ContractTracingLayer(tp.ContractRegistry.builtin())
    site = layer.site("softmax-kernel-v1", "softmax")
    with site(x=x) as span:
        span.record(ret=softmax(x))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tracepact.config import __version__

if TYPE_CHECKING:
    from tracepact import exporters
    from tracepact.contracts import Contract, ContractRegistry, Equation, Postcondition, Problem
    from tracepact.core import TensorStats
    from tracepact.enforce import Enforced, contract, ensures, invariant, requires
    from tracepact.engines import llamacpp
    from tracepact.engines.attach import trace
    from tracepact.errors import (
        ConfigError,
        ContractViolation,
        MissingExtraError,
        ModelFileError,
        TracepactError,
    )
    from tracepact.model import ForwardTraces, KvCacheRecord, ModelTracer, TraceConfig, request
    from tracepact.predicate import (
        Formula,
        Predicate,
        PredicateError,
        parse_formula,
        parse_predicate,
    )
    from tracepact.profiling import (
        BrickLayer,
        BrickProfiler,
        ByteBudget,
        ComputeBrick,
        HardwareCapability,
        SyncMode,
        TokenBudget,
    )
    from tracepact.tracing import (
        Always,
        Context,
        ContractTracingLayer,
        EveryNth,
        Mode,
        Policy,
        Site,
        Span,
        TimeBudget,
        Violation,
        current_span,
    )
    from tracepact.types import BrickCategory, BrickId

__all__ = [
    "Always",
    "BrickCategory",
    "BrickId",
    "BrickLayer",
    "BrickProfiler",
    "ByteBudget",
    "ComputeBrick",
    "ConfigError",
    "Context",
    "Contract",
    "ContractRegistry",
    "ContractTracingLayer",
    "ContractViolation",
    "Enforced",
    "Equation",
    "EveryNth",
    "Formula",
    "ForwardTraces",
    "HardwareCapability",
    "KvCacheRecord",
    "MissingExtraError",
    "Mode",
    "ModelFileError",
    "ModelTracer",
    "Policy",
    "Postcondition",
    "Predicate",
    "PredicateError",
    "Problem",
    "Site",
    "Span",
    "SyncMode",
    "TensorStats",
    "TimeBudget",
    "TokenBudget",
    "TraceConfig",
    "TracepactError",
    "Violation",
    "__version__",
    "contract",
    "current_span",
    "ensures",
    "exporters",
    "invariant",
    "llamacpp",
    "parse_formula",
    "parse_predicate",
    "request",
    "requires",
    "trace",
]

_HOMES = {
    "tracepact.contracts": (
        "Contract",
        "ContractRegistry",
        "Equation",
        "Postcondition",
        "Problem",
    ),
    "tracepact.core": ("TensorStats",),
    "tracepact.enforce": (
        "Enforced",
        "contract",
        "ensures",
        "invariant",
        "requires",
    ),
    "tracepact.engines.attach": ("trace",),
    "tracepact.errors": (
        "ConfigError",
        "ContractViolation",
        "MissingExtraError",
        "ModelFileError",
        "TracepactError",
    ),
    "tracepact.model": (
        "ForwardTraces",
        "KvCacheRecord",
        "ModelTracer",
        "TraceConfig",
        "request",
    ),
    "tracepact.predicate": (
        "Formula",
        "Predicate",
        "PredicateError",
        "parse_formula",
        "parse_predicate",
    ),
    "tracepact.profiling": (
        "BrickLayer",
        "BrickProfiler",
        "ByteBudget",
        "ComputeBrick",
        "HardwareCapability",
        "SyncMode",
        "TokenBudget",
    ),
    "tracepact.tracing": (
        "Always",
        "Context",
        "ContractTracingLayer",
        "EveryNth",
        "Mode",
        "Policy",
        "Site",
        "Span",
        "TimeBudget",
        "Violation",
        "current_span",
    ),
    "tracepact.types": (
        "BrickCategory",
        "BrickId",
    ),
}
"""Where the names are: a room is imported when one of its names is first asked for."""

_ROOMS = {"exporters": "tracepact.exporters", "llamacpp": "tracepact.engines.llamacpp"}
"""Names that are rooms themselves."""

_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(_ROOMS[name])
    if name not in _HOME:
        raise AttributeError(f"module 'tracepact' has no attribute {name!r}")
    found = getattr(import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
