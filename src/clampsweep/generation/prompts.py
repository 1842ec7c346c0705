"""A prompt's token ids, as it stands or as a chat: the one place where jobs encode prompts."""

from __future__ import annotations

from clampsweep.errors import UserError
from clampsweep.models.hugging_face import n_rows
from clampsweep.models.model import Model
from clampsweep.models.tokens import check_ids
from clampsweep.texts.request import RAW, PromptFormat


def encode(model: Model, prompt: str, prompt_format: PromptFormat = RAW) -> list[int]:
    """A prompt's token ids, at least one and fewer than the context holds.

    Args:
        model: Loaded model.
        prompt: Its text.
        prompt_format: Whether the text is read as it stands, or as a message of a chat.

    Raises:
        UserError: There are none, or too many, or the model does not know one, or it has no chat
            template that takes the prompt.
    """
    if prompt_format.kind == "chat":
        ids = model.encode_chat(prompt, prompt_format.system)
    else:
        ids = model.encode(prompt)
    check_ids(ids, model.tokenizer, n_rows(model.plain))
    if not ids:
        raise UserError(f"prompt {prompt!r} has no tokens; write something, or remove it")
    if len(ids) >= model.n_ctx:
        raise UserError(
            f"prompt {prompt[:60]!r}... has {len(ids)} tokens; the model reads at most "
            f"{model.n_ctx - 1} and one new one; shorten it"
        )
    return ids
