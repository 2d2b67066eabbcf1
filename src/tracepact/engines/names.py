"""The engines, by the names that commands take."""

from __future__ import annotations

from enum import StrEnum


class EngineName(StrEnum):
    """What runs a model."""

    REFERENCE = "reference"
    """GGUF in NumPy, for people who check by eye."""
    TORCH = "torch"
    """PyTorch with transformers."""
    LLAMACPP = "llamacpp"
    """llama.cpp, by llama-cpp-python or ik-llama-cpp-python."""
