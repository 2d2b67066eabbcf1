"""A model's own chat template, run with as little trust as a downloaded program deserves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Never

from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.gguf_header import show
from tracepact.engines.reference.vocabulary import Vocabulary
from tracepact.errors import ConfigError, MissingExtraError, ModelFileError

try:
    from jinja2.exceptions import SecurityError, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError as error:
    raise MissingExtraError("applying a chat template", "engine") from error

MAX_TEMPLATE_CHARACTERS: Final = 1 << 17
MAX_OUTPUT_CHARACTERS: Final = 1 << 20
_KEY: Final = "tokenizer.chat_template"
_PADDING: Final = frozenset(
    {"center", "expandtabs", "format", "format_map", "indent", "ljust", "rjust", "zfill"}
)


class ChatTemplate:
    """Turns messages into the text that a model was trained on.

    The template comes with the model file and is not trusted. It runs in Jinja2's immutable
    sandbox, sees only the messages and the special tokens, is bounded in its own size and in what
    it writes, and lacks the operators, filters and methods that make a long text out of a number.
    One that loops for long over nothing is not stopped.

    Attributes:
        source: the template, or None: then the content of the messages is taken as it is.

    Raises:
        ModelFileError: the template is too long or not Jinja2.
    """

    def __init__(self, file: GgufFile, vocabulary: Vocabulary) -> None:
        source = file.metadata.get(_KEY)
        if source is not None and (
            not isinstance(source, str) or len(source) > MAX_TEMPLATE_CHARACTERS
        ):
            file.fail(
                f"metadata {_KEY!r} is not a text of at most {MAX_TEMPLATE_CHARACTERS} characters",
                "remove it or convert the model again",
            )
        self.source = source
        self._file = file
        self._special = {
            "bos_token": _text(vocabulary, vocabulary.bos_id),
            "eos_token": _text(vocabulary, vocabulary.eos_id),
        }
        if source is not None:
            try:
                self._template = _sandbox().from_string(source)
            except (TemplateError, RecursionError, SyntaxError, ValueError) as error:
                self._fail(error)

    def prompt(self, text: str, *, system: str | None = None) -> str:
        """The text that asks the model to answer `text`; without a template, `text` itself."""
        messages = [] if system is None else [{"role": "system", "content": system}]
        return self.render([*messages, {"role": "user", "content": text}])

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The text of a conversation, up to where the model's answer begins.

        Args:
            messages: each with "role" ("system", "user", "assistant") and "content".

        Raises:
            ConfigError: the template refuses these messages.
            ModelFileError: the template fails, or writes too much.
        """
        if self.source is None:
            return "\n".join(message["content"] for message in messages)
        parts, written = [], 0
        try:
            for part in self._template.generate(
                messages=messages, add_generation_prompt=True, tools=None, **self._special
            ):
                parts.append(part)
                written += len(part)
                if written > MAX_OUTPUT_CHARACTERS:
                    raise SecurityError(f"writes more than {MAX_OUTPUT_CHARACTERS} characters")
        except ConfigError:
            raise
        except Exception as error:  # a template can fail in any way that Python can
            self._fail(error)
        return "".join(parts)

    def _fail(self, error: Exception) -> Never:
        raise ModelFileError(
            f"{self._file.path}: the chat template fails ({show(str(error))}); "
            f"give the prompt without it"
        ) from None


def _sandbox() -> _Sandbox:
    sandbox = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    del sandbox.globals["lipsum"]
    for name in _PADDING & sandbox.filters.keys():
        del sandbox.filters[name]
    sandbox.globals |= {"raise_exception": _raise_exception, "strftime_now": _strftime_now}
    sandbox.filters["tojson"] = _to_json
    return sandbox


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox without what makes much out of little."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute numbers only: `"x" * 10 ** 9` and `"%999999999d" % 1` would be texts."""
        for operand in (left, right):
            if not isinstance(operand, int | float) or abs(operand) > MAX_OUTPUT_CHARACTERS:
                raise SecurityError(f"operator {operator} on {show(operand)} is not allowed")
        if operator == "**" and abs(right) > 64:
            raise SecurityError(f"power {right} is too large")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Refuse methods that pad a text to a width, beside what Jinja2 refuses."""
        return attr not in _PADDING and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Offer no safe `str.format`: its widths are not."""


def _text(vocabulary: Vocabulary, token: int | None) -> str:
    return "" if token is None else vocabulary.tokens[token]


def _raise_exception(message: object) -> Never:
    raise ConfigError(f"the chat template refuses these messages: {show(str(message))}")


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON as it is; Jinja2's own filter escapes it for HTML, which no model was trained on."""
    return json.dumps(value, ensure_ascii=False, indent=None if indent is None else 4)


def _strftime_now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(str(pattern)[:64])
