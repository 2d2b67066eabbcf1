"""Tests made from contracts: a pytest plugin, and property tests that Hypothesis runs."""

from tracepact.testing.hooks import strategy

__all__ = ["strategy"]
