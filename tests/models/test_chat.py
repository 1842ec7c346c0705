"""Prompts as chats: against Hugging Face's `apply_chat_template`, and templates that fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

from clampsweep.errors import UserError
from clampsweep.models.chat import (
    check_template,
    encode_chat,
    has_template,
    template_digest,
)
from clampsweep.models.model import Model
from tiny import BOS, CHAT, tiny_tokenizer

# In the manner of published templates: a default system message, a message put into the user's, a
# refusal, a clock asked in several ways, and white space of which none may be lost.
DEFAULT = (
    "{% if messages[0]['role'] != 'system' %}s:be good\n{% endif %}"
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}\n{% endfor %}"
)
MERGED = (
    "{{ bos_token }}{% set first = '' %}{% set rest = messages %}"
    "{% if messages[0].role == 'system' %}{% set first = messages[0].content + '\n\n' %}"
    "{% set rest = messages[1:] %}{% endif %}"
    "{% for m in rest %}{{ m.role }}: {{ first if loop.first else '' }}{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}\nmodel: {% endif %}"
)
REFUSING = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}"
)
CLOCKS = {
    "as Llama 3.2": (
        "{{- bos_token }}\n{%- if strftime_now is defined %}\n"
        "    {%- set day = strftime_now('%d %b %Y') %}\n{%- else %}\n    {%- set day = 'none' %}\n"
        "{%- endif %}\n{{- 'on ' + day + '\n' }}\n"
        "{%- for m in messages %}\n    {{- m.content + '\n' }}\n{%- endfor %}\n"
    ),
    "many formats": (
        "  \n {{ strftime_now('%A %a, %B %b %-d %d %Y-%m-%dT%H:%M:%S %y %j %I %p %F %T %%') }}\n"
        "{% for m in messages %}\n  {{ m.content }}\n {% endfor %}\n\n"
    ),
    "in a macro": (
        "\n\n{% macro day() %}{{ strftime_now('%e %B %Y') | upper }}{% endmacro %}\n"
        "   {% for m in messages %}{{ day() }} {{ m.content }}{% endfor %}  \n"
    ),
}
TEMPLATES = {"tiny": CHAT, "default": DEFAULT, "merged": MERGED, **CLOCKS}
SYSTEMS = [None, "be short", "", " two\nlines "]


class _Stopped(datetime):
    """A clock that stands at the day that the documentation names."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2024, 7, 26)


def _applied(tokenizer: Any, text: str, system: str | None) -> list[int]:
    """What Hugging Face makes of the messages."""
    messages = [{"role": "user", "content": text}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    ids: list[int] = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=False
    )
    return ids


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
def test_tokens_are_those_of_hugging_faces_template_with_the_clock_stopped(
    template: str, system: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = tiny_tokenizer(template)
    texts = ("the cat", "two\nlines and <eos> {{ 7 * 7 }}")
    got = [encode_chat(tokenizer, text, system, "tiny") for text in texts]
    monkeypatch.setattr(chat_template_utils, "datetime", _Stopped)
    assert got == [_applied(tokenizer, text, system) for text in texts]
    assert "{{ 7 * 7 }}" in tokenizer.decode(got[1]), "a prompt is no template"


@pytest.mark.parametrize("template", CLOCKS.values(), ids=CLOCKS.keys())
def test_a_templates_clock_does_not_go(template: str) -> None:
    tokenizer = tiny_tokenizer(template)
    text = tokenizer.decode(encode_chat(tokenizer, "the cat", None, "tiny"))
    assert "2024" in text
    assert "26" in text
    assert str(datetime.now().year) not in text


def test_a_chat_has_the_templates_bos_and_no_other(load_tiny: Callable[..., Model]) -> None:
    model = load_tiny("llama", chat_template=CHAT, prepend_bos=True)
    assert model.encode("the cat")[0] == BOS
    ids = model.encode_chat("the cat ", "be good")
    assert ids == [BOS, *model.tokenizer("s:be good\nu:the cat\na:").input_ids]
    without = replace(model, prepend_bos=False)
    assert without.encode_chat("the cat ", "be good") == ids
    assert model.encode_chat("the cat") == [BOS, *model.tokenizer("u:the cat\na:").input_ids]


@pytest.mark.parametrize(
    ("template", "system", "said"),
    [
        (None, None, ["no chat template", "raw", "chat_template.jinja"]),
        (REFUSING, "be good", ["System role not supported", "'the cat'", "take system_prompt out"]),
        ("{{ 1 + 'one' }}", None, ["unsupported operand", "'the cat'", "prompt_format: raw"]),
        ("{% if %}", None, ["prompt_format: raw"]),
        ("{{ messages[0].none.at_all }}", None, ["none", "prompt_format: raw"]),
        ("{{ ''.__class__.__mro__ }}", None, ["unsafe", "prompt_format: raw"]),
        ({"one": "a", "two": "b"}, None, ["no default", "prompt_format: raw"]),
        ("{{ messages[-1].content }}", "be good", ["leaves the system prompt 'be good' out"]),
    ],
    ids=str,
)
def test_a_template_that_does_not_take_the_messages_is_one_line(
    template: Any, system: str | None, said: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        encode_chat(tiny_tokenizer(template), "the cat", system, "some-model")
    message = str(caught.value)
    assert "\n" not in message
    assert not [part for part in ("some-model", *said) if part not in message], message


@pytest.mark.parametrize("template", [CHAT, None, {"default": CHAT, "tools": "a"}], ids=str)
def test_that_a_folder_has_a_template_is_told_as_the_tokenizer_tells_it(
    template: Any, tmp_path: Path
) -> None:
    tiny_tokenizer(template).save_pretrained(tmp_path)
    known = AutoTokenizer.from_pretrained(tmp_path).chat_template is not None
    assert has_template(tmp_path) == known == (template is not None)
    if not known:
        return
    check_template(tmp_path, "tiny", "main/chat")
    (tmp_path / "chat_template.jinja").unlink()
    assert not has_template(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": CHAT}))
    assert has_template(tmp_path) and AutoTokenizer.from_pretrained(tmp_path).chat_template


@pytest.mark.parametrize("content", [None, "{}", "[1]", "{", '{"chat_template": null}'])
def test_a_model_without_a_template_is_refused_by_its_files_in_one_line(
    content: str | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(UserError) as caught:
        check_template(tmp_path, "some-model", "main/chat")
    parts = ("main/chat: ", "some-model has no chat template", "use a model with one", "leave out")
    assert not [part for part in parts if part not in str(caught.value)]
    assert "\n" not in str(caught.value)


def test_the_digest_of_a_template_is_that_of_its_text() -> None:
    assert template_digest(tiny_tokenizer(CHAT)) == hashlib.sha256(CHAT.encode()).hexdigest()
    assert template_digest(tiny_tokenizer()) is None
    several = [template_digest(tiny_tokenizer({"default": CHAT, "b": b})) for b in "xy"]
    assert None not in several and several[0] != several[1]


def test_a_system_prompt_that_the_template_writes_anyway_is_taken() -> None:
    tokenizer = tiny_tokenizer(DEFAULT)
    wanted = encode_chat(tokenizer, "the cat", None, "tiny")
    assert encode_chat(tokenizer, "the cat", "be good", "tiny") == wanted
