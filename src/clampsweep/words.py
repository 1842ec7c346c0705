"""Numbers and lists in words."""

from __future__ import annotations

from collections.abc import Sequence


def signed(value: float) -> str:
    """A number with its sign, `+25`, `-0.5` or `0`, to six digits."""
    return "0" if value == 0 else f"{value:+g}"


def some_of(n: int, total: int, noun: str) -> str:
    """How many of them: `all prompts`, `40 of the 160 prompts`."""
    return f"all {noun}" if n == total else f"{n:,} of the {total:,} {noun}"


def listed(words: Sequence[str]) -> str:
    """Words as a phrase: `a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(n: int, noun: str) -> str:
    """A number with its noun: `1 text`, `1,200 texts`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
