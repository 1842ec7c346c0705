"""What is scrubbed, and in which light its losses are seen: examples, lists of tokens, heads.

Three tables, `EXAMPLES`, `TOKENS` and `HEADS`, in a folder of their own; all jobs of an entry read
them. Candidates are chosen on other texts than the examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.candidates import candidates
from clampsweep.studies.scrubbing.making.examples import cut
from clampsweep.studies.scrubbing.masks import Lists, common_tokens, fuzzy_numbers
from clampsweep.studies.scrubbing.roles import HEADS
from clampsweep.studies.scrubbing.tables import EXAMPLES, TOKENS

N_APART = 2000  # most other examples that candidates are chosen on

_LEAST_APART = 50


class Data(NamedTuple):
    """The tables as the jobs need them.

    Attributes:
        tokens: Of all examples, BOS first.
        lists: What categories are made from.
        heads: The `HEADS` table.
    """

    tokens: Int[np.ndarray, "example pos"]
    lists: Lists
    heads: pd.DataFrame


def read_data(folder: Path) -> Data:
    """The three tables of a folder.

    Raises:
        UserError: One is missing, truncated or another table.
    """
    examples = tables.read(folder / "examples.parquet", EXAMPLES)
    known = tables.read(folder / "tokens.parquet", TOKENS).sort_values("token")
    lists = Lists(*(known[name].to_numpy() for name in ("candidate", "common", "fuzzy")))
    heads = tables.read(folder / "heads.parquet", HEADS)
    return Data(np.array(examples["tokens"].tolist(), dtype=np.int64), lists, heads)


class Cut(NamedTuple):
    """Examples to scrub, and others, from elsewhere, that candidates are chosen on."""

    examples: pd.DataFrame
    apart: Int[np.ndarray, "example pos"]


def cut_corpus(corpus: pd.DataFrame, tokenizer: Any, length: int, number: int, where: str) -> Cut:
    """Examples from the documents that were held out, others from those that were not.

    Args:
        corpus: A `CORPUS` table.
        tokenizer: Of the model.
        length: Predictions of an example.
        number: Of examples.
        where: Place in the config, for messages.

    Raises:
        UserError: There are fewer.
    """
    examples = cut(corpus[corpus["held_out"]], tokenizer, length, where)
    apart = cut(corpus[~corpus["held_out"]], tokenizer, length, where)
    return _cut(examples, apart, length, number, where)


def cut_file(path: Path, length: int, number: int, where: str) -> Cut:
    """The first examples of a file, and those that follow.

    Args:
        path: An `EXAMPLES` table.
        length: Predictions of an example; longer ones are cut off.
        number: Of examples.
        where: Place in the config, for messages.

    Raises:
        UserError: It cannot be read, or its examples are fewer or shorter.
    """
    return cut_rows(tables.read(path, EXAMPLES), path, length, number, where)


def cut_rows(rows: pd.DataFrame, path: Path, length: int, number: int, where: str) -> Cut:
    """The same of examples that were read.

    Args:
        rows: As `EXAMPLES`.
        path: The file that they are from, for messages.
        length: Predictions of an example.
        number: Of examples.
        where: Place in the config, for messages.
    """
    found = rows.copy()
    shortest = min(map(len, found["tokens"]), default=length + 1) - 1
    if shortest < length:
        raise UserError(
            f"{where}.length: got {length}, and an example of {path} has {shortest} predictions; "
            "ask for no more"
        )
    found["tokens"] = [tokens[: length + 1] for tokens in found["tokens"]]
    return _cut(found[:number], found[number:], length, number, where)


def _cut(examples: pd.DataFrame, apart: pd.DataFrame, length: int, number: int, where: str) -> Cut:
    if len(examples) < number:
        raise UserError(
            f"{where}.number: got {number}, and there are {len(examples)} examples; ask for fewer"
        )
    others = np.array(apart["tokens"][:N_APART].tolist(), dtype=np.int64)
    return Cut(examples[:number].reset_index(drop=True), others.reshape(-1, length + 1))


def read_chosen(path: Path, d_vocab: int) -> Bool[np.ndarray, " d_vocab"]:
    """Whether each token is on a list of candidates.

    Args:
        path: A text file, a token id on each line; empty lines are passed over.
        d_vocab: Number of tokens of the model.

    Raises:
        UserError: It cannot be read, or a line is no token id.
    """
    chosen = np.zeros(d_vocab, dtype=bool)
    ids = {str(token): token for token in range(d_vocab)}
    for number, line in enumerate(_lines(path), 1):
        word = line.strip()
        if word and word not in ids:
            raise UserError(
                f"{path}: line {number}: got {word[:20]!r}; write a token id from 0 to "
                f"{d_vocab - 1} on each line"
            )
        if word:
            chosen[ids[word]] = True
    return chosen


def _lines(path: Path) -> Sequence[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as text; give a file of token ids") from error


def choose(
    apart: Int[np.ndarray, "example pos"], d_vocab: int, share: float, where: str
) -> Bool[np.ndarray, " d_vocab"]:
    """Whether each token is a candidate, chosen on examples that are not scrubbed.

    Args:
        apart: These examples.
        d_vocab: Number of tokens.
        share: Of the tokens whose gain is known.
        where: Place in the config, for messages.

    Raises:
        UserError: They are too few.
    """
    if len(apart) < _LEAST_APART:
        raise UserError(
            f"{where}.candidates: got the share {share}, and {len(apart)} examples are left to "
            f"choose on, beside those that are scrubbed; leave {_LEAST_APART}, or give a file"
        )
    return candidates(apart, d_vocab, share)


def tokens_table(
    examples: pd.DataFrame, texts: Sequence[str], chosen: Bool[np.ndarray, " d_vocab"]
) -> pd.DataFrame:
    """The table `TOKENS`.

    Args:
        examples: An `EXAMPLES` table.
        texts: What each token stands for.
        chosen: Whether it is a candidate.
    """
    tokens = np.array(examples["tokens"].tolist())
    return pd.DataFrame(
        {
            "token": np.arange(len(texts)),
            "text": texts,
            "candidate": chosen,
            "common": common_tokens(tokens, len(texts)),
            "fuzzy": fuzzy_numbers(texts),
        }
    )
