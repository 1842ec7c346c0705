"""Make what is known before anything is scrubbed: examples, lists of tokens, scores of heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.models.loading import load
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.scrubbing import data
from clampsweep.studies.scrubbing.data import Cut
from clampsweep.studies.scrubbing.head_scores import head_scores
from clampsweep.studies.scrubbing.published import (
    read_candidates,
    read_published,
    read_texts,
    read_tokens,
)
from clampsweep.studies.scrubbing.roles import heads_table, resolve
from clampsweep.studies.scrubbing.tables import CORPUS
from clampsweep.studies.scrubbing.weights import Weights, from_model

_TORCH = ".pt"  # ends the original's files


class Prepared(NamedTuple):
    """The tables `EXAMPLES`, `TOKENS` and `HEADS`."""

    examples: pd.DataFrame
    tokens: pd.DataFrame
    heads: pd.DataFrame


class Ready(NamedTuple):
    """A model that is ready to be scrubbed.

    Attributes:
        weights: Of the model.
        tokenizer: Of the model; None if it has none.
        texts: What each token stands for.
    """

    weights: Weights
    tokenizer: Any
    texts: Sequence[str]


def ready(folder: Path, loading: Mapping[str, Any] | None, threads: int) -> Ready:
    """A model that was fetched, or a published one.

    Args:
        folder: Of the model.
        loading: `ModelSpec.loading`; None for a published model.
        threads: CPU threads.

    Raises:
        UserError: The folder is damaged, or the model is of another kind or depth.
    """
    if loading is None:
        weights = read_published(folder)
        found = Ready(weights, None, read_texts(folder, weights.d_vocab))
    else:
        model = load(folder, ModelSpec(**loading), threads, "cpu", neurons=False)
        weights, tokenizer = from_model(model.plain), model.tokenizer
        texts = [tokenizer.decode([one]) for one in range(weights.d_vocab)]
        found = Ready(weights, tokenizer, texts)
    if len(weights.layers) != 2:
        raise UserError(
            f"{folder}: the model has {len(weights.layers)} layer(s), and scrubbing is of models "
            "with 2"
        )
    return found


def prepare(
    model: Ready,
    source: Path,
    wanted: Mapping[str, Any],
) -> Prepared:
    """The tables of an entry.

    Args:
        model: What is scrubbed.
        source: A `CORPUS` table, if `wanted["cut"]`; else a table of examples, or the original's.
        wanted: The entry's `number`, `length`, `candidates`, `thresholds`; `where` it stands in the
            config; `cut`, whether the source is a corpus.

    Raises:
        UserError: The source is damaged, holds too little, or does not fit the model.
    """
    weights = model.weights
    if wanted["length"] > weights.n_ctx:
        raise UserError(
            f"{wanted['where']}.examples.length: got {wanted['length']}, and the model's context "
            f"is {weights.n_ctx} tokens; ask for no more"
        )
    found = _examples(model.tokenizer, source, weights.d_vocab, wanted)
    _check_tokens(found, weights.d_vocab, source)
    chosen = _candidates(found, weights.d_vocab, wanted)
    begin = int(found.examples["tokens"].iloc[0][0])
    scores = head_scores(weights, begin)
    heads = heads_table(scores, resolve(scores, wanted["thresholds"]))
    return Prepared(found.examples, data.tokens_table(found.examples, model.texts, chosen), heads)


def _examples(tokenizer: Any, source: Path, d_vocab: int, wanted: Mapping[str, Any]) -> Cut:
    number, length, where = wanted["number"], wanted["length"], f"{wanted['where']}.examples"
    if wanted["cut"]:
        return data.cut_corpus(tables.read(source, CORPUS), tokenizer, length, number, where)
    if source.suffix == _TORCH:
        rows = read_tokens(source, d_vocab).tolist()
        names = {"example": [str(row) for row in range(len(rows))], "package": "", "file": ""}
        return data.cut_rows(pd.DataFrame({**names, "tokens": rows}), source, length, number, where)
    return data.cut_file(source, length, number, where)


def _check_tokens(found: Cut, d_vocab: int, source: Path) -> None:
    """Refuse examples of another model's tokens."""
    tokens = np.concatenate([found.examples["tokens"].tolist(), found.apart])
    unknown = tokens[(tokens < 0) | (tokens >= d_vocab)]
    if unknown.size:
        raise UserError(
            f"{source}: an example holds token {unknown[0]}, and the model has tokens 0 to "
            f"{d_vocab - 1}; give examples in this model's own tokens"
        )


def _candidates(
    found: Cut, d_vocab: int, wanted: Mapping[str, Any]
) -> Bool[np.ndarray, " d_vocab"]:
    given = wanted["candidates"]
    if not isinstance(given, str):
        return data.choose(found.apart, d_vocab, given, wanted["where"])
    if Path(given).suffix != _TORCH:
        return data.read_chosen(Path(given), d_vocab)
    chosen = np.zeros(d_vocab, dtype=bool)
    chosen[read_candidates(Path(given), d_vocab)] = True
    return chosen
