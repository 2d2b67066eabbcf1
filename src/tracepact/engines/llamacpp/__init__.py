"""llama.cpp, watched by its evaluation callback.

import tracepact as tp

llama = tp.llamacpp.Llama("model.gguf", n_ctx=512)
with tp.trace(llama) as tracer:
    llama.create_chat_completion([{"role": "user", "content": "Hello"}])
"""

from tracepact.engines.llamacpp.context import Context, Llama, attachable

__all__ = ["Context", "Llama", "attachable"]
