"""PyTorch models, transformers among them, watched by hooks."""
