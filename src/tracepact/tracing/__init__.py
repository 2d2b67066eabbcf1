"""Spans whose postconditions are checked when they close."""

from tracepact.tracing.layer import ContractTracingLayer
from tracepact.tracing.policy import Always, EveryNth, Mode, Policy, Sampler, TimeBudget
from tracepact.tracing.site import Site
from tracepact.tracing.span import Span, current_span
from tracepact.violation import CallSite, Context, Verdict, Violation

__all__ = [
    "Always",
    "CallSite",
    "Context",
    "ContractTracingLayer",
    "EveryNth",
    "Mode",
    "Policy",
    "Sampler",
    "Site",
    "Span",
    "TimeBudget",
    "Verdict",
    "Violation",
    "current_span",
]
