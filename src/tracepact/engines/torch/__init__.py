"""PyTorch models, transformers among them, watched by hooks."""

from tracepact.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401 - whoever imports from here needs it
except ImportError as error:
    raise MissingExtraError("watching a model with PyTorch", "torch") from error
