"""Text as rules read it: composed, straight quotes, lower case, and where each character was."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

_SINGLE, _DOUBLE = (
    "\u2018\u2019\u201b\u02bc\u2032",
    "\u201c\u201d\u201f\u2033",
)  # curly quotes, and primes

_STRAIGHT = str.maketrans({**dict.fromkeys(_SINGLE, "'"), **dict.fromkeys(_DOUBLE, '"')})


class Folded(NamedTuple):
    """A folded text, and of each of its characters where it stood.

    Attributes:
        text: Composed (NFC), with straight quotes, in lower case.
        starts: First character of the original text that each character is made of.
        ends: End of these, exclusive.
    """

    text: str
    starts: list[int]
    ends: list[int]


def fold(text: str) -> Folded:
    """A text as rules read it.

    Its length may change: `e` and an accent behind it become one character, a small `İ` is two.

    Args:
        text: Any.
    """
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for piece in _pieces(text):
        folded = unicodedata.normalize("NFC", piece).translate(_STRAIGHT).lower()
        parts.append(folded)
        starts += [at] * len(folded)
        at += len(piece)
        ends += [at] * len(folded)
    return Folded("".join(parts), starts, ends)


def _pieces(text: str) -> Iterator[str]:
    """Parts that compose apart from each other, most of them one character."""
    if unicodedata.is_normalized("NFC", text):
        yield from text
        return
    piece = ""
    for char in text:
        if piece and _apart(piece, char):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


def _apart(piece: str, char: str) -> bool:
    """Whether a character leaves what stands before it as it is."""
    if unicodedata.combining(char):
        return False
    own = unicodedata.normalize("NFC", piece) + unicodedata.normalize("NFC", char)
    return unicodedata.normalize("NFC", piece + char) == own
