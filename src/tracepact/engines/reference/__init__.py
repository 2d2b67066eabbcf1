"""The reference engine: GGUF models in NumPy float32, plain enough to be checked by eye.

Nothing is imported here: `tracepact.engines.reference.model` loads the `gguf` package, and
neighbours that need only `kernels`, `costs` or `kv_cache` should not pay for that.
"""
