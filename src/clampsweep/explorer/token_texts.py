"""Tokens as text: each alone, and in pieces that join to the text."""

from __future__ import annotations

from collections.abc import Sequence

from clampsweep.explorer.marking import Piece
from clampsweep.models.model import Model
from clampsweep.models.tokens import decode

_BEFORE = 6  # tokens


def pieces(
    model: Model, ids: Sequence[int], hints: Sequence[str] = (), after: Sequence[int] = ()
) -> list[Piece]:
    """The tokens as text; the parts of a character that several tokens make stand with the last.

    A tokenizer may write a token in another way where it stands first, so each is read behind
    those before it.
    """
    found, start = [], 0
    for n in range(1, len(ids) + 1):
        before = max(0, start - _BEFORE)
        text = model.decode(ids[before:n], after)
        if text.endswith("\N{REPLACEMENT CHARACTER}") and n < len(ids):
            continue
        known = len(model.decode(ids[before:start], after))
        found.append(Piece(text[known:], "\n".join(hints[start:n])))
        start = n
    return found


def alone(model: Model, ids: Sequence[int], after: Sequence[int] = ()) -> list[str]:
    """Each token as text where it stands, parts of a character shown as such."""
    whole = [*after, *ids]
    return [model.decode([token], whole[: len(after) + at]) for at, token in enumerate(ids)]


def written(model: Model, ids: Sequence[int]) -> list[str]:
    """The tokens of a prompt, each as text where it stands, special ones written out."""
    texts = zip(ids, alone(model, ids), strict=True)
    return [text or decode(model.tokenizer, [token], special=True) for token, text in texts]
