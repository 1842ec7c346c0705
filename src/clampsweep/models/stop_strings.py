"""When a text has said what it shall end with, as Hugging Face's `generate` sees it. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clampsweep.models.tokens import behind_letter


class StopStrings:
    """Strings that end a text, special tokens among its tokens written out.

    Args:
        tokenizer: Hugging Face's.
        strings: At least one, none of them empty.
    """

    def __init__(self, tokenizer: Any, strings: Sequence[str]):
        self._strings = tuple(strings)
        self._read = behind_letter(tokenizer, special=True)
        # A token writes at least a byte, so that no more of them hold a string.
        self._most = max(len(one.encode()) for one in strings)

    def ended_by_newest(self, ids: Sequence[int]) -> bool:
        """Whether the newest token of a text completes one of them.

        Args:
            ids: Tokens of the text, without its prompt; no earlier one has completed any.
        """
        text = self._read(ids[-self._most :])
        return any(one in text for one in self._strings)
