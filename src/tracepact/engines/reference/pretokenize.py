"""How text is split into words before byte-pair merges, by the name in `tokenizer.ggml.pre`.

The expressions are those of the models' own tokenizers (GPT-2, Llama 3, Qwen2, SmolLM), applied
one after the other as llama.cpp does: each splits what the ones before it left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_GPT2: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2: Final = _LLAMA3.replace("{1,3}", "")


@dataclass(frozen=True, slots=True)
class PreTokenizer:
    """One rule.

    Attributes:
        patterns: regular expressions; every match becomes a word of its own.
        whole_words: a word that is a token is taken as it is, whatever the merges say.
        add_bos: whether a text begins with the BOS token when the file does not say.
    """

    patterns: tuple[str, ...]
    whole_words: bool = False
    add_bos: bool = False


PRE_TOKENIZERS: Final = {
    "default": PreTokenizer((r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
    "gpt-2": PreTokenizer((_GPT2,)),
    "llama-bpe": PreTokenizer((_LLAMA3,), whole_words=True, add_bos=True),
    "qwen2": PreTokenizer((_QWEN2,)),
    "smollm": PreTokenizer((r"\p{N}", _GPT2)),
}
