"""Categories of positions: where a token is repeated, and how.

Position t has input x[t] and label x[t + 1]. All but the first category are of an example alone,
of a list of candidates, and of the tokens that are most common in the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

N_COMMON = 200  # most frequent tokens of the data, which are no uncommon repeats

CATEGORIES = {
    "OVERALL": "every position",
    "CANDIDATES": "the input is a candidate",
    "LATER CANDIDATES": "the input is a candidate, and occurred earlier",
    "REPEATS": "the label occurred earlier, or is the input",
    "UNCOMMON REPEATS": "REPEATS whose label is not among the most common tokens",
    "NON-ERB UNCOMMON REPEATS": "UNCOMMON REPEATS that are not the end of a repeated bigram",
    "MISLEADING INDUCTION": "the input occurred earlier, but never before this label, and is "
    "not among the most common tokens",
    "CANDIDATE ERB": "CANDIDATES that are the end of a repeated bigram: input and label stood "
    "next to each other earlier",
    "NFERB UR": "UNCOMMON REPEATS that are not the end of a repeated fuzzy bigram: without case, "
    'spaces, brackets and .,:;-_" at the ends of tokens',
}
"""Category -> the positions it holds, in the order of the original's table."""

_STRIPPED = ' ()[]{}<>.,:;-_"'


class Lists(NamedTuple):
    """What masks need beside the tokens.

    Attributes:
        candidates: Whether a token is a candidate.
        common: Whether it is among the most common.
        fuzzy: Number of its fuzzy form: the same for tokens that differ by case or marks.
    """

    candidates: Bool[np.ndarray, " d_vocab"]
    common: Bool[np.ndarray, " d_vocab"]
    fuzzy: Int[np.ndarray, " d_vocab"]


def common_tokens(
    tokens: Int[np.ndarray, "example pos"], d_vocab: int, n: int = N_COMMON
) -> Bool[np.ndarray, " d_vocab"]:
    """Whether each token is among the n most frequent ones; of equals, the lower number first.

    Args:
        tokens: Of all examples.
        d_vocab: Number of tokens.
        n: How many are common.
    """
    counts = np.bincount(tokens.ravel(), minlength=d_vocab)
    common = np.zeros(d_vocab, dtype=bool)
    common[np.argsort(-counts, kind="stable")[:n]] = True
    return common


def fuzzy_numbers(texts: Sequence[str]) -> Int[np.ndarray, " d_vocab"]:
    """Number of each token's fuzzy form: upper case, spaces and marks at its ends stripped.

    Args:
        texts: What each token stands for.
    """
    numbers: dict[str, int] = {}
    forms = [text.strip().strip(_STRIPPED).strip().upper() for text in texts]
    return np.array([numbers.setdefault(form, len(numbers)) for form in forms])


def categories(tokens: Int[np.ndarray, " pos"], lists: Lists) -> Bool[np.ndarray, "category label"]:
    """Whether each position of an example is in each category, in the order of `CATEGORIES`.

    Args:
        tokens: Of the example; each but the first is a label.
        lists: Of the tokens.
    """
    inputs, labels = tokens[:-1], tokens[1:]
    candidate, common = lists.candidates[inputs], lists.common
    later = _seen_before(inputs.tolist())
    fuzzy = lists.fuzzy[tokens]
    erb = _seen_before(list(zip(inputs.tolist(), labels.tolist(), strict=True)))
    fuzzy_erb = _seen_before(list(zip(fuzzy[:-1].tolist(), fuzzy[1:].tolist(), strict=True)))
    repeats = _seen_before(tokens.tolist())[1:]
    uncommon = repeats & ~common[labels]
    found = {
        "OVERALL": np.ones(len(inputs), dtype=bool),
        "CANDIDATES": candidate,
        "LATER CANDIDATES": candidate & later,
        "REPEATS": repeats,
        "UNCOMMON REPEATS": uncommon,
        "NON-ERB UNCOMMON REPEATS": uncommon & ~erb,
        "MISLEADING INDUCTION": later & ~erb & ~common[inputs],
        "CANDIDATE ERB": candidate & erb,
        "NFERB UR": uncommon & ~fuzzy_erb,
    }
    return np.stack([found[name] for name in CATEGORIES])


def _seen_before(things: Sequence[object]) -> Bool[np.ndarray, " thing"]:
    """Whether each thing occurred earlier in the sequence."""
    seen: set[object] = set()
    found = []
    for thing in things:
        found.append(thing in seen)
        seen.add(thing)
    return np.array(found)
