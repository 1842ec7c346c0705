"""Text to numbers: the metrics of the paper, and further ones that see loops and noise.

Words are runs of non-whitespace; tokens are the model's. Every function runs in time linear in the
length of the text.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pandas as pd

from clampsweep.errors import shown
from clampsweep.tables import Column, Schema
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.given import beside, many_texts, one_text, token_ids
from clampsweep.texts.tables import DECODED, ROW

PUBLISHED_METRICS = {
    "total_tokens": Column("int", "number of words (runs of non-whitespace)", null=True),
    "unique_tokens": Column("int", "number of distinct words", null=True),
    "token_entropy": Column("float", "entropy of the word distribution, bits", null=True),
    "num_sentences": Column("int", "number of sentences", null=True),
    "avg_sentence_length": Column("float", "words per sentence", null=True),
    "num_repeated_bigrams": Column(
        "int", "distinct adjacent word pairs that occur at least twice", null=True
    ),
}

FURTHER_METRICS = {
    "distinct_1": Column("float", "distinct model tokens / model tokens", null=True),
    "distinct_2": Column("float", "distinct token pairs / token pairs", null=True),
    "distinct_3": Column("float", "distinct token triples / token triples", null=True),
    "rep_4": Column("float", "share of token 4-grams seen before in the text", null=True),
    "loop_period": Column(
        "int", "period in tokens of the longest exactly periodic suffix; null if none", null=True
    ),
    "loop_coverage": Column(
        "float", "share of the text's tokens in that suffix, in 0..1", null=True
    ),
    "zlib_ratio": Column("float", "compressed bytes / bytes of the text in UTF-8", null=True),
    "symbol_share": Column(
        "float", "share of characters neither alphanumeric nor whitespace", null=True
    ),
    "nonletter_share": Column(
        "float", "share of non-whitespace characters that are no letters", null=True
    ),
}

LIKELIHOOD_METRICS = {"nll_unclamped": DECODED["nll_unclamped"]}

TEXT_METRICS = Schema(
    "text_metrics",
    {**ROW, **PUBLISHED_METRICS, **FURTHER_METRICS, **LIKELIHOOD_METRICS},
    key=("prompt_id", "key"),
)

_DTYPES = {"int": "Int64", "float": "float64"}

_SENTENCE_END = re.compile(r"[.?!]\s+")


def words(text: str) -> list[str]:
    """Words of a text: maximal runs of non-whitespace, punctuation attached, case kept.

    Raises:
        TypeError: It is no text.
    """
    return one_text(text).split()


def entropy_bits(counts: Counter[str]) -> float:
    """Entropy of a count distribution in bits, at least 0; 0 with one distinct item or none."""
    if len(counts) < 2:
        return 0.0
    total = counts.total()
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def n_symbols(text: str) -> int:
    """Number of characters (code points) that are neither alphanumeric nor whitespace."""
    return sum(not (char.isalnum() or char.isspace()) for char in text)


def published(text: str) -> dict[str, int | float | None]:
    """The paper's metrics of a text, by the names and units of `PUBLISHED_METRICS`.

    Definitions: docs/definitions.md, section 2. A sentence ends at one of `.?!` followed by
    whitespace, or with the text. All values are None if the text is blank.
    """
    found = words(text)
    if not found:
        return dict.fromkeys(PUBLISHED_METRICS)
    counts = Counter(found)
    n_sentences = max(1, sum(1 for piece in _SENTENCE_END.split(text) if piece.strip()))
    bigrams = Counter(pairwise(found))
    return {
        "total_tokens": len(found),
        "unique_tokens": len(counts),
        "token_entropy": entropy_bits(counts),
        "num_sentences": n_sentences,
        "avg_sentence_length": len(found) / n_sentences,
        "num_repeated_bigrams": sum(count > 1 for count in bigrams.values()),
    }


class PeriodicSuffix(NamedTuple):
    """A suffix that repeats exactly: its period and its length, in tokens."""

    period: int
    length: int


class DistinctGrams(NamedTuple):
    """Numbers of distinct n-grams and of n-grams."""

    distinct: int
    total: int


def longest_periodic_suffix(
    tokens: Sequence[int], max_period: int = 32, min_repeats: float = 2.5
) -> PeriodicSuffix | None:
    """Period and length, in tokens, of the longest suffix that repeats exactly; None without one.

    Args:
        tokens: The text in model tokens.
        max_period: Longest period looked for, in tokens.
        min_repeats: Least length of the suffix, in periods (the last repeat may be partial).

    Returns:
        The longest such suffix; of several periods with the same length, the smallest.
    """
    best: PeriodicSuffix | None = None
    n = len(tokens)
    for period in range(1, max_period + 1):
        length = min(period, n)
        while length < n and tokens[n - 1 - length] == tokens[n - 1 - length + period]:
            length += 1
        if length >= min_repeats * period and (best is None or length > best.length):
            best = PeriodicSuffix(period, length)
    return best


def _distinct(tokens: Sequence[int], n: int) -> DistinctGrams:
    """Numbers of distinct n-grams and of n-grams."""
    grams = list(zip(*(tokens[start:] for start in range(n)), strict=False))
    return DistinctGrams(len(set(grams)), len(grams))


def distinct_share(tokens: Sequence[int], n: int) -> float | None:
    """Distinct n-grams / n-grams of the tokens, in 0..1; None if there is no n-gram."""
    return _share(*_distinct(tokens, n))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _token_metrics(tokens: Sequence[int]) -> dict[str, int | float | None]:
    distinct, total = _distinct(tokens, 4)
    period, length = longest_periodic_suffix(tokens) or (None, 0)
    return {
        **{f"distinct_{n}": distinct_share(tokens, n) for n in (1, 2, 3)},
        "rep_4": _share(total - distinct, total),
        "loop_period": period,
        "loop_coverage": _share(length, len(tokens)),
    }


def further(text: str, tokens: Sequence[int] | None) -> dict[str, int | float | None]:
    """Metrics of repetition and noise, by the names and units of `FURTHER_METRICS`.

    Args:
        text: The text, not stripped.
        tokens: The same in model tokens; None if unknown.

    Raises:
        TypeError: One of them is of another kind.

    Returns:
        Token metrics are None where the tokens are unknown, none, or too few to form the n-gram;
        character metrics where the text has no character that counts. A text with tokens but no
        loop has coverage 0 and period None.
    """
    data = one_text(text).encode()
    visible = [char for char in text if not char.isspace()]
    values = {
        **_token_metrics(() if tokens is None else token_ids(tokens)),
        "zlib_ratio": len(zlib.compress(data, 9)) / len(data) if data else None,
        "symbol_share": _share(n_symbols(text), len(text)),
        "nonletter_share": _share(sum(not char.isalpha() for char in visible), len(visible)),
    }
    return {name: values[name] for name in FURTHER_METRICS}


def texts_and_tokens(generations: pd.DataFrame) -> list[tuple[str, list[int] | None]]:
    """Text and token ids of every generation, in row order; None where the ids are unknown.

    Raises:
        TypeError: It is no table.
        ValueError: It lacks a column.
    """
    if not isinstance(generations, pd.DataFrame):
        raise TypeError(f"generations: got {shown(generations)}; write a generations table")
    if missing := [name for name in ("text", "token_ids") if name not in generations]:
        raise ValueError(f"generations: lacks the column {missing[0]!r}; read generations.parquet")
    ids = [
        None if cell is None else [int(token) for token in cell]
        for cell in generations["token_ids"]
    ]
    return list(zip(generations["text"], ids, strict=True))


def measures(
    texts: Sequence[str], tokens: Sequence[Sequence[int] | None] | None = None
) -> pd.DataFrame:
    """Every metric of each text, in order: `PUBLISHED_METRICS` and `FURTHER_METRICS`.

    Args:
        texts: Texts of any origin, not stripped.
        tokens: The same in model tokens; None where they are unknown.

    Raises:
        TypeError: They are no texts, or no token ids.
        ValueError: There are token ids of more or fewer texts.
    """
    ids = beside("tokens", tokens, len(many_texts(texts)))
    rows = [{**published(text), **further(text, own)} for text, own in zip(texts, ids, strict=True)]
    metrics = {**PUBLISHED_METRICS, **FURTHER_METRICS}
    values = pd.DataFrame(rows, columns=list(metrics))
    return values.astype({name: _DTYPES[column.type] for name, column in metrics.items()})


def table(generations: pd.DataFrame) -> pd.DataFrame:
    """Text metrics of every generation (`TEXT_METRICS`), in row order.

    Args:
        generations: A `GENERATIONS` table.
    """
    pairs = texts_and_tokens(generations)
    values = measures([text for text, _ in pairs], [ids for _, ids in pairs])
    shared = [name for name in TEXT_METRICS.columns if name in GENERATIONS.columns]
    return pd.concat([generations[shared].reset_index(drop=True), values], axis=1)
