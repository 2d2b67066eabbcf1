"""Models of transformers from a GGUF file or a folder: no network, no foreign code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracepact.errors import MissingExtraError, ModelFileError

try:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
except ImportError as error:
    raise MissingExtraError("running a model with PyTorch", "torch") from error


def load_model(path: Path) -> Any:
    """A causal language model with its weights, in evaluation mode, with eager attention.

    GGUF files are dequantised to float32; folders keep the type they were saved in.

    Raises:
        ModelFileError: transformers cannot load it.
    """
    dtype = "float32" if path.is_file() else "auto"
    model = _load(
        AutoModelForCausalLM.from_pretrained, path, dtype=dtype, attn_implementation="eager"
    )
    return model.eval()


def load_structure(path: Path) -> Any:
    """The same model without weights: its modules lie on the device `meta`.

    Raises:
        ModelFileError: transformers cannot read its configuration.
    """
    config = _load(AutoConfig.from_pretrained, path)
    make: Any = AutoModelForCausalLM.from_config
    with torch.device("meta"):
        return make(config)


def _load(load: Any, path: Path, **options: Any) -> Any:
    folder = path
    if path.is_file():
        folder, options["gguf_file"] = path.parent, path.name
    elif not path.is_dir():
        raise ModelFileError(f"{path}: no such file or folder")
    try:
        return load(folder, local_files_only=True, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError, ImportError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelFileError(f"{path}: transformers cannot load it ({lines[0]})") from None
