"""Text and token ids by the metadata of a GGUF file, whatever engine runs it."""

from __future__ import annotations

from collections.abc import Collection

from tracepact.engines.reference.chat import ChatTemplate
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.tokenizer import TextStream, Tokenizer


class GgufText:
    """A `Text` over a GGUF file.

    Raises:
        ModelFileError: The file has no tokenizer, or one that is not supported.
    """

    def __init__(self, file: GgufFile) -> None:
        self._file = file
        self._tokenizer = Tokenizer(file)
        self.stop_ids: Collection[int] = self._tokenizer.vocabulary.stop_ids

    def prompt(self, text: str) -> str:
        """The text through the file's own chat template."""
        return ChatTemplate(self._file, self._tokenizer.vocabulary).prompt(text)

    def encode(self, text: str) -> list[int]:
        """Token ids."""
        return self._tokenizer.encode(text)

    def stream(self) -> TextStream:
        """A decoder for ids that arrive one by one."""
        return self._tokenizer.stream()
