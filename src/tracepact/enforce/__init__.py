"""Contracts on functions: checked whenever they are called."""

from tracepact.enforce.decorator import contract

__all__ = ["contract"]
