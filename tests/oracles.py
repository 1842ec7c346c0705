"""Text metrics and collapse by brute force, from docs/definitions.md sections 2 and 3 alone.

Nothing here is shared with the library; shares are exact fractions where a threshold decides.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction


def words_by_scan(text: str) -> list[str]:
    """Runs of non-whitespace, character by character."""
    found, word = [], ""
    for character in text:
        if character.isspace():
            found += [word] if word else []
            word = ""
        else:
            word += character
    return found + ([word] if word else [])


def sentences_by_scan(text: str) -> int:
    """Number of sentences, character by character."""
    pieces, piece = [], ""
    for place, character in enumerate(text):
        if character in ".?!" and text[place + 1 : place + 2].isspace():
            pieces.append(piece)
            piece = ""
        else:
            piece += character
    return max(1, sum(bool(each.strip()) for each in [*pieces, piece]))


def suffix_by_search(
    ids: Sequence[int], max_period: int = 32, min_repeats: float = 2.5
) -> tuple[int, int] | None:
    """Period and length of the longest periodic suffix, tried from the whole list down."""
    for length in range(len(ids), 0, -1):
        suffix = ids[len(ids) - length :]
        for period in range(1, max_period + 1):
            repeats = all(suffix[i] == suffix[i + period] for i in range(length - period))
            if length >= min_repeats * period and repeats:
                return period, length
    return None


def published_metrics(text: str) -> dict[str, float | None]:
    """The six published metrics; all None for a blank text."""
    words = words_by_scan(text)
    n, n_sentences = len(words), sentences_by_scan(text)
    pairs = Counter(itertools.pairwise(words))
    found = {
        "total_tokens": n,
        "unique_tokens": len(set(words)),
        "token_entropy": sum(math.log2(n / words.count(word)) / n for word in words),
        "num_sentences": n_sentences,
        "avg_sentence_length": n / n_sentences,
        "num_repeated_bigrams": sum(count >= 2 for count in pairs.values()),
    }
    return {name: value if words else None for name, value in found.items()}


def character_metrics(text: str) -> dict[str, float | None]:
    """Compression and the shares of symbols and of non-letters."""
    data = text.encode("utf-8")
    symbols = [c for c in text if not c.isalnum() and not c.isspace()]
    visible = [c for c in text if not c.isspace()]
    letters = [c for c in visible if c.isalpha()]
    return {
        "zlib_ratio": len(zlib.compress(data, 9)) / len(data) if data else None,
        "symbol_share": len(symbols) / len(text) if text else None,
        "nonletter_share": 1 - len(letters) / len(visible) if visible else None,
    }


def surface_in_fractions(text: str) -> bool:
    """The published heuristic in exact arithmetic, rule by rule."""
    s = text.strip()
    n = len(s)
    if n < 6:
        return True
    if Fraction(max(Counter(s).values()), n) >= Fraction(9, 10):
        return True
    for p in range(2, 8):
        if 2 * p <= n:
            most = max(Counter(s[i : i + p] for i in range(n - p + 1)).values())
            if most > 1 and Fraction(p * most, n) >= Fraction(7, 10):
                return True
    alphanumeric = sum(c.isalnum() for c in s)
    symbols = sum(not c.isalnum() and not c.isspace() for c in s)
    return Fraction(alphanumeric, n) < Fraction(1, 10) and Fraction(symbols, n) > Fraction(8, 10)


def entropy_of_words(text: str) -> bool:
    """Less than 1.5 bits over fewer than 10 distinct words; blank texts too."""
    words = words_by_scan(text)
    shares = [words.count(word) / len(words) for word in set(words)]
    return -sum(share * math.log2(share) for share in shares) < 1.5 and len(shares) < 10
