"""Text and token ids by a tokenizer of transformers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tokenizers.decoders import DecodeStream

from tracepact.errors import ModelFileError


class TransformersText:
    """A `Text` over a fast tokenizer.

    Raises:
        ModelFileError: The model has only a slow one, which cannot decode token by token.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.is_fast:
            raise ModelFileError(
                f"{tokenizer.name_or_path}: no tokenizer.json; save the fast tokenizer there"
            )
        self._tokenizer = tokenizer
        end = tokenizer.eos_token_id
        self.stop_ids: Collection[int] = () if end is None else (int(end),)

    def prompt(self, text: str) -> str:
        """The text through the chat template, if there is one; it runs in Jinja2's sandbox."""
        if self._tokenizer.chat_template is None:
            return text
        messages = [{"role": "user", "content": text}]
        prompt: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return prompt

    def encode(self, text: str) -> list[int]:
        """Token ids; special tokens that a template wrote are not added again."""
        first = self._tokenizer.bos_token
        is_started = first is not None and text.startswith(first)
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=not is_started)
        return ids

    def stream(self) -> TransformersStream:
        """A decoder for ids that arrive one by one."""
        return TransformersStream(self._tokenizer.backend_tokenizer)


class TransformersStream:
    """Text of tokens that arrive one by one; never half a character."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._decoder = DecodeStream(skip_special_tokens=True)

    def push(self, token: int) -> str:
        """The text that this token completes; may be empty."""
        return self._decoder.step(self._tokenizer, token) or ""

    def finish(self) -> str:
        """Nothing: what never became a character has no text."""
        return ""
