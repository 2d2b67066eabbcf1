"""What this engine uses of the `gguf` package: constants of the format, and dequantisation."""

from __future__ import annotations

from tracepact.errors import MissingExtraError

try:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType
    from gguf.quants import dequantize
except ImportError as error:
    raise MissingExtraError("reading a GGUF model", "engine") from error

__all__ = ["GGML_QUANT_SIZES", "GGMLQuantizationType", "GGUFValueType", "dequantize"]
