"""Claims about chat templates, which come from strangers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tracepact.engines.reference.chat import (
    MAX_OUTPUT_CHARACTERS,
    MAX_TEMPLATE_CHARACTERS,
    ChatTemplate,
)
from tracepact.engines.reference.gguf_file import GgufFile
from tracepact.engines.reference.vocabulary import Vocabulary
from tracepact.errors import ConfigError, ModelFileError

MakeChat = Callable[[str | None], ChatTemplate]

CHATML = """\
{% for message in messages %}
    {% if message.role == 'tool' %}{% continue %}{% endif %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""


@pytest.fixture
def make_chat(write_gguf: Callable[..., Path]) -> MakeChat:
    def make(template: str | None) -> ChatTemplate:
        file = GgufFile(write_gguf(chat_template=template))
        return ChatTemplate(file, Vocabulary.from_file(file))

    return make


def test_a_prompt_becomes_a_conversation(make_chat: MakeChat) -> None:
    assert make_chat(CHATML).prompt("Hi", system="Be kind.") == (
        "<|im_start|>system\nBe kind.<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_without_a_template_the_prompt_is_taken_as_it_is(make_chat: MakeChat) -> None:
    chat = make_chat(None)
    assert chat.source is None
    assert chat.prompt("Once upon a time") == "Once upon a time"
    assert chat.prompt("b", system="a") == "a\nb"


def test_templates_see_the_special_tokens(make_chat: MakeChat) -> None:
    assert make_chat("{{ bos_token }}|{{ eos_token }}").prompt("") == "<|im_start|>|<|im_end|>"


def test_a_template_may_refuse_messages(make_chat: MakeChat) -> None:
    chat = make_chat("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(ConfigError, match="refuses these messages: 'roles must alternate'"):
        chat.prompt("")


def test_templates_may_ask_for_the_date(make_chat: MakeChat) -> None:
    year = make_chat("{{ strftime_now('%Y') }}").prompt("")
    assert abs(int(year) - datetime.now().astimezone().year) <= 1


def test_json_is_not_escaped_for_html(make_chat: MakeChat) -> None:
    assert make_chat("{{ messages | tojson }}").prompt("<é>") == (
        '[{"role": "user", "content": "<é>"}]'
    )
    assert make_chat("{{ [1] | tojson(indent=9999999999) }}").prompt("") == "[\n    1\n]"


def test_content_is_data_and_not_a_template(make_chat: MakeChat) -> None:
    chat = make_chat("{{ messages[0].content }}")
    assert chat.prompt("{{ 7 * 7 }} & <b>") == "{{ 7 * 7 }} & <b>"


def test_small_arithmetic_is_allowed(make_chat: MakeChat) -> None:
    assert make_chat("{{ 7 % 4 }} {{ 3 * 5 }} {{ 2 ** 10 }}").prompt("") == "3 15 1024"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{% set x = 'x' * 10 ** 9 %}",
        "{% set x = [0] * 999999999 %}",
        "{% set x = 9 ** 9 ** 9 %}",
        "{% set x = 9 ** 999999 %}",
        "{% set x = '%999999999d' % 1 %}",
        "{% set x = '{:>999999999}'.format(1) %}",
        "{% set x = 'x'.ljust(999999999) %}",
        "{% set x = 'x' | center(999999999) %}",
        "{% set x = lipsum(n=999999) %}",
        "{% for i in range(999999999) %}x{% endfor %}",
        "{% for i in range(99999) %}{{ messages[0].content }}{% endfor %}",
        "{{ messages[0].missing.missing }}",
        "{{ 1 / 0 }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
    ],
)
def test_a_template_that_reaches_too_far_is_stopped(template: str, make_chat: MakeChat) -> None:
    with pytest.raises(ModelFileError, match=r"chat template fails \(.*\); give the prompt"):
        make_chat(template).prompt("x" * 100)


@pytest.mark.parametrize("template", ["{% for %}", "{{", "{% include 'x' %}", "(" * 999 + "{{a}"])
def test_a_template_that_is_none_says_so(template: str, make_chat: MakeChat) -> None:
    with pytest.raises(ModelFileError, match="the chat template fails"):
        make_chat(template).prompt("")


def test_a_template_that_writes_as_much_as_allowed_passes(make_chat: MakeChat) -> None:
    content = "x" * MAX_OUTPUT_CHARACTERS
    chat = make_chat("{{ messages[0].content }}")
    assert chat.prompt(content) == content
    with pytest.raises(ModelFileError, match="writes more than 1048576 characters"):
        chat.prompt(content + "x")


def test_a_template_longer_than_any_real_one_is_refused(make_chat: MakeChat) -> None:
    with pytest.raises(ModelFileError, match="is not a text of at most 131072 characters"):
        make_chat("x" * (MAX_TEMPLATE_CHARACTERS + 1))


def test_a_template_must_be_text(write_gguf: Callable[..., Path]) -> None:
    file = GgufFile(write_gguf(metadata={"tokenizer.chat_template": 3}))
    with pytest.raises(ModelFileError, match="is not a text"):
        ChatTemplate(file, Vocabulary.from_file(file))
