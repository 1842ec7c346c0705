"""Where tokens stand in their text: of ids that were generated, by reading them in order. No torch.

A trace's token ids are what the model said; encoding its text anew may give others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clampsweep.errors import UserError
from clampsweep.models.tokens import behind_letter, decode

_PART = "\ufffd"  # what the beginning of a character is read as
_MOST = 8  # tokens of a character


def token_ends(tokenizer: Any, before: Sequence[int], ids: Sequence[int], text: str) -> list[int]:
    """For each token, how many characters of the text are complete at its end.

    A token that ends inside a character has the same as the one before it.

    Args:
        tokenizer: Hugging Face's.
        before: Token ids of the prompt.
        ids: Token ids behind it.
        text: Their text (`models.tokens.decode_after`).

    Raises:
        UserError: The text is not that of the tokens.
    """
    read = behind_letter(tokenizer)
    if not decode(tokenizer, before):
        read = _at_start(tokenizer)
    ends: list[int] = []
    done, first = 0, 0  # characters before the token `first`, with which a character begins
    for at in range(len(ids)):
        piece = read(ids[first : at + 1])
        if piece.endswith(_PART) and at - first < _MOST and not _is_said(text, done, piece):
            ends.append(ends[-1] if ends else 0)
            continue
        done, first = done + len(piece), at + 1
        read = behind_letter(tokenizer)
        ends.append(done)
    if done != len(text):
        raise UserError(
            f"a text of {len(text)} characters, but its tokens make {done}; it was changed after "
            "it was written, write it anew"
        )
    return ends


def _at_start(tokenizer: Any) -> Any:
    return lambda ids: decode(tokenizer, ids)


def _is_said(text: str, done: int, piece: str) -> bool:
    """Whether a text says the very mark that a part of a character is read as."""
    return text[done : done + len(piece)] == piece


def token_at(ends: Sequence[int], char: int) -> int:
    """Number of the token that holds a character: the first that ends behind it.

    Args:
        ends: As `token_ends` gives them.
        char: Character, from 0.

    Raises:
        ValueError: The text is not so long.
    """
    for at, end in enumerate(ends):
        if end > char:
            return at
    raise ValueError(f"character {char}, but the tokens hold {ends[-1] if ends else 0}")
