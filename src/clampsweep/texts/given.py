"""Texts and token ids that a caller of the library gives: mistakes that would pass in silence.

A text is a sequence too, of characters: as a list of texts, or as token ids, it would be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from clampsweep.errors import shown, whole_numbers

_Item = TypeVar("_Item")


def one_text(given: Any) -> str:
    """What is given, if it is one text.

    Raises:
        TypeError: It is something else, such as token ids, a list of texts or an empty cell.
    """
    if not isinstance(given, str):
        raise TypeError(f"text: got {shown(given)}; write one text, '' for an empty one")
    return given


def many_texts(given: Any) -> Sequence[str]:
    """What is given, if it is texts.

    Raises:
        TypeError: It is one text, which is a sequence too, or nothing like it.
    """
    if isinstance(given, str | bytes) or not hasattr(given, "__len__"):
        raise TypeError(f"texts: got {shown(given)}; write a list of texts")
    texts: Sequence[str] = given
    return texts


def token_ids(given: Any) -> list[int]:
    """What is given, if it is token ids of one text.

    Raises:
        TypeError: It is something else, such as the text itself, which is a sequence too.
    """
    found = whole_numbers(given)
    if found is None:
        raise TypeError(f"tokens: got {shown(given)}; write a text's token ids, whole numbers")
    return found


def beside(what: str, given: Sequence[_Item] | None, n: int) -> Sequence[_Item | None]:
    """What is known of each of n texts, None where nothing is.

    Raises:
        ValueError: There is more of it, or less.
    """
    if given is None:
        return [None] * n
    if len(given) != n:
        raise ValueError(f"{what}: got {len(given)} for {n} texts; write one for each, None if not")
    return given
