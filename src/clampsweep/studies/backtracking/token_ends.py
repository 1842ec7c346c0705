"""Where tokens stand in their text: of ids that were generated, by reading them in order. No torch.

A trace's token ids are what the model said; encoding its text anew may give others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from clampsweep.errors import UserError
from clampsweep.models.tokens import behind_letter, decode

_PART = "\ufffd"  # what the beginning of a character is read as

Read = Callable[[Sequence[int]], str]


def token_ends(tokenizer: Any, before: Sequence[int], ids: Sequence[int], text: str) -> list[int]:
    """For each token, how many characters of the text are complete at its end.

    A token that ends inside a character completes those before it.

    Args:
        tokenizer: Hugging Face's.
        before: Token ids of the prompt.
        ids: Token ids behind it.
        text: Their text (`models.tokens.decode_after`).

    Raises:
        UserError: The text is not that of the tokens.
    """
    behind = behind_letter(tokenizer)
    start: Read = behind if decode(tokenizer, before) else partial(decode, tokenizer)
    whole = start(ids)
    if whole != text:
        raise UserError(
            f"a text of {len(text)} characters, but its tokens make {len(whole)}, or others; it "
            "was changed after it was written, write it anew"
        )
    return _by_pieces(start, behind, ids, text) or _by_beginnings(start, ids, text)


def _by_pieces(start: Read, behind: Read, ids: Sequence[int], text: str) -> list[int]:
    """The same, read anew from wherever a character ends; empty if the pieces are not the text."""
    ends: list[int] = []
    done, first = 0, 0  # characters before the token `first`, with which a piece begins
    for at in range(len(ids)):
        piece = (behind if done else start)(ids[first : at + 1])
        ends.append(_further(ends, done + _shared(piece, text[done : done + len(piece)])))
        if not piece.endswith(_PART) and text.startswith(piece, done):
            done, first = done + len(piece), at + 1
    return ends if ends[-1:] == [len(text)] else []


def _by_beginnings(start: Read, ids: Sequence[int], text: str) -> list[int]:
    """The same, each beginning of the tokens read as a whole: of tokenizers that mark word ends."""
    ends: list[int] = []
    for n in range(1, len(ids) + 1):
        ends.append(_further(ends, _shared(start(ids[:n]), text)))
    return ends


def _further(ends: Sequence[int], end: int) -> int:
    return max(end, ends[-1]) if ends else end


def _shared(piece: str, text: str) -> int:
    """How many first characters two texts share."""
    pairs = zip(piece, text, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(piece), len(text)))


def token_at(ends: Sequence[int], char: int) -> int:
    """Number of the token that holds a character: the first that ends behind it.

    Args:
        ends: As `token_ends` gives them.
        char: Character, from 0.

    Raises:
        ValueError: The text is not so long.
    """
    at = bisect_right(ends, char)
    if at == len(ends):
        raise ValueError(f"character {char}, but the tokens hold {ends[-1] if len(ends) else 0}")
    return at
