"""Which places of a text two models share, and which neurons are looked at.

Models of one tokenizer share their tokens. Others share the places where both end a token after the
same character; what is correlated there is called correspondence, and is not the rho of Gurnee et
al. 2024. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int

from clampsweep.studies.universal.tokens import encoder

TOKENS_ALIKE, CHARACTERS = "tokens", "characters"

DEFAULT = 500  # neurons that are looked at where all would be too many

PAIRS_AT_MOST = 2**27  # pairs of neurons whose sums are held: 1 GB

_TRIED = 50  # sequences on which two tokenizers are held against each other


class Reading(NamedTuple):
    """What a model reads, and where it is looked at.

    Attributes:
        sequences: Token ids.
        positions: Places of each sequence that count.
    """

    sequences: list[list[int]]
    positions: list[list[int]]


class Aligned(NamedTuple):
    """The same texts as two models read them; places correspond one to one.

    Attributes:
        by: `tokens` or `characters`.
        own: Of the first model.
        other: Of the second.
        kinds: What kind of text each sequence is.
    """

    by: str
    own: Reading
    other: Reading
    kinds: list[str]


def align(
    tokens: pd.DataFrame, skip: int, own: Any, other: Any, begins: tuple[bool, bool], longest: int
) -> Aligned:
    """The texts of a `TOKENS` table as two models read them.

    Args:
        tokens: Sequences as the first model reads them.
        skip: First positions of a sequence that do not count, in either model.
        own: The first model's tokenizer.
        other: The second's.
        begins: Whether a sequence of the first, and of the second, begins with BOS.
        longest: Most tokens that the second model reads.

    Raises:
        UserError: A tokenizer does not say where its tokens stand.
    """
    if shares_tokenizer(own, other, tokens["text"].iloc[:_TRIED].tolist()):
        return _by_tokens(tokens, skip, other, begins, longest)
    encode = encoder(other, "agreement.others")
    begin = [int(other.bos_token_id)] if begins[1] else []
    ours, theirs = Reading([], []), Reading([], [])
    for ids, ends, text in zip(tokens["tokens"], tokens["ends"], tokens["text"], strict=True):
        found = encode(text)
        read = [*begin, *found.ids][:longest]
        there = np.array([*(0 for _ in begin), *found.ends], dtype=np.int64)[:longest]
        places = shared_ends(np.asarray(ends, dtype=np.int64), there, skip)
        for reading, sequence, at in ((ours, ids, places[0]), (theirs, read, places[1])):
            reading.sequences.append([int(one) for one in sequence])
            reading.positions.append(at.tolist())
    return Aligned(CHARACTERS, ours, theirs, tokens["domain"].tolist())


def shares_tokenizer(own: Any, other: Any, texts: Sequence[str]) -> bool:
    """Whether two tokenizers have one vocabulary and cut these texts alike."""
    if own.get_vocab() != other.get_vocab():
        return False
    first, second = (encoder(one, "agreement.others") for one in (own, other))
    return all(first(text).ids == second(text).ids for text in texts)


def _by_tokens(
    tokens: pd.DataFrame, skip: int, other: Any, begins: tuple[bool, bool], longest: int
) -> Aligned:
    """The same tokens for both; only BOS may differ."""
    begin = [int(other.bos_token_id)] if begins[1] else []
    ours, theirs = Reading([], []), Reading([], [])
    for ids in tokens["tokens"]:
        plain = [int(one) for one in ids][int(begins[0]) :]
        read = [*begin, *plain][:longest]
        off = len(begin) - int(begins[0])
        at = [place for place in range(skip, len(ids)) if skip <= place + off < len(read)]
        ours.sequences.append([int(one) for one in ids])
        ours.positions.append(at)
        theirs.sequences.append(read)
        theirs.positions.append([place + off for place in at])
    return Aligned(TOKENS_ALIKE, ours, theirs, tokens["domain"].tolist())


def shared_ends(
    own: Int[np.ndarray, " a"], other: Int[np.ndarray, " b"], skip: int
) -> tuple[Int[np.ndarray, " place"], Int[np.ndarray, " place"]]:
    """Places where both end a token after the same character: positions in the one and the other.

    Of tokens that end after the same character (parts of one) the last counts.

    Args:
        own: Ends of the tokens of one, in characters, ascending; 0 of BOS.
        other: Those of the other.
        skip: First positions that do not count, in either.
    """
    last = [{int(end): at for at, end in enumerate(ends) if end > 0} for ends in (own, other)]
    common = [
        (at, last[1][end])
        for end, at in last[0].items()
        if end in last[1] and min(at, last[1][end]) >= skip
    ]
    places = np.array(common, dtype=np.int64).reshape(-1, 2)
    return places[:, 0], places[:, 1]


def looked_at(
    n_layers: int, d_mlp: int, n_other: int, wanted: int | None, seed: int
) -> list[Int[np.ndarray, " _"]]:
    """Neurons of each layer that are looked at: as many of each, by lot; ascending.

    Args:
        n_layers: Layers of the model.
        d_mlp: Neurons of a layer.
        n_other: Neurons of the other model.
        wanted: How many in all; None for all, or `DEFAULT` if there are too many pairs.
        seed: Of the lot.
    """
    total = n_layers * d_mlp
    if wanted is None:
        wanted = total if total * n_other <= PAIRS_AT_MOST else DEFAULT
    wanted = min(wanted, total)
    rng = np.random.default_rng(seed)
    counts = np.full(n_layers, wanted // n_layers)
    counts[rng.permutation(n_layers)[: wanted % n_layers]] += 1
    return [np.sort(rng.permutation(d_mlp)[:count]) for count in counts]
