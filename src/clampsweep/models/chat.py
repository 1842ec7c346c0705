"""A prompt as a chat: written by the tokenizer's own template, whose clock stands still. No torch.

A template is a program that comes with the model. transformers runs it in Jinja's sandbox, and here
it is given nothing but the messages: no tools, no documents, no options.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from clampsweep.errors import UserError, reason
from clampsweep.provenance import json_digest, text_digest

DAY = datetime(2024, 7, 26)
"""What `strftime_now` of a template says, at midnight: the day that Llama 3's falls back on."""

_CODES = "aAbBcdDeFhHIjmMpSTyYxX%"  # of strftime; a minus before them drops leading zeros


def template_digest(tokenizer: Any) -> str | None:
    """SHA-256 of a tokenizer's chat template, or of all where it has several by name; None if none.

    Args:
        tokenizer: Hugging Face's.
    """
    template = tokenizer.chat_template
    if template is None:
        return None
    return text_digest(template) if isinstance(template, str) else json_digest(template)


def has_template(folder: Path | str) -> bool:
    """Whether the tokenizer in a model's folder has a chat template, by the files alone.

    Args:
        folder: The model's.
    """
    if Path(folder, "chat_template.jinja").is_file():
        return True
    try:
        config = json.loads(Path(folder, "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # what is wrong with it is said where it is loaded
    return isinstance(config, dict) and config.get("chat_template") is not None


def check_template(folder: Path | str, name: str, request: str) -> None:
    """Refuse a fetched model without a chat template, before any text is made.

    Args:
        folder: The model's.
        name: The model's name, for the message.
        request: The name of what asks for chats, for the message.

    Raises:
        UserError: There is none.
    """
    if not has_template(folder):
        raise UserError(
            f"{request}: asks for prompts as chats, but {no_template(name)}; or leave out what "
            "asks for chats (prompt_format: chat, chat_baselines: true)"
        )


def no_template(name: str) -> str:
    """What to say of a model whose tokenizer has no chat template, and the remedy."""
    return (
        f"the tokenizer of {name} has no chat template; use a model with one (chat_template.jinja, "
        "or a key of tokenizer_config.json)"
    )


def encode_chat(tokenizer: Any, text: str, system: str | None, name: str) -> list[int]:
    """Token ids of a prompt as the user's message, up to where the answer begins.

    They are those of Hugging Face's `apply_chat_template` with a generation prompt, but for the day
    in templates that ask for it: a text must not depend on when it is made.

    Args:
        tokenizer: Hugging Face's.
        text: The prompt.
        system: The system message before it; None for none. Some templates then write their own.
        name: The model's name, for messages.

    Raises:
        UserError: There is no template, or it refuses the messages, or leaves the system message
            out.
    """
    if tokenizer.chat_template is None:
        raise UserError(f"prompt_format: chat, but {no_template(name)}, or write raw")
    try:
        written = _write(tokenizer, text, system)
        ignored = system is not None and written == _write(tokenizer, text, None)
    except Exception as error:  # it is a program, and may raise anything
        raise UserError(
            f"the chat template of {name} refuses the prompt {text[:60]!r}"
            f"{'' if system is None else ' with a system prompt'}: {reason(error)}; "
            f"{'write prompt_format: raw' if system is None else 'take system_prompt out'}"
        ) from error
    if ignored and system is not None and system.strip() not in written:
        raise UserError(
            f"the chat template of {name} leaves the system prompt {system[:60]!r} out; take "
            "system_prompt out, or put its text into the prompts"
        )
    ids: list[int] = tokenizer(written, add_special_tokens=False).input_ids
    return ids


def _write(tokenizer: Any, text: str, system: str | None) -> str:
    """The chat as the template writes it."""
    messages = [] if system is None else [{"role": "system", "content": system}]
    template = tokenizer.get_chat_template()
    written: str = tokenizer.apply_chat_template(
        [*messages, {"role": "user", "content": text}],
        chat_template=_stopped_clock() + template if "strftime_now" in template else template,
        add_generation_prompt=True,
        tokenize=False,
    )
    return written


def _stopped_clock() -> str:
    """A macro that takes the place of `strftime_now`.

    transformers lets no function of ours into a template. The line end is not written: Jinja is
    told to drop the one behind a block.
    """
    steps = "".join(
        f"|replace('%{sign}{code}','{DAY.strftime(f'%{sign}{code}')}')"
        for sign in ("-", "")
        for code in _CODES
    )
    return "{% macro strftime_now(format) %}{{ format" + steps + " }}{% endmacro %}\n"
