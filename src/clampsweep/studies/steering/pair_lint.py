"""What is wrong with behaviour pairs, found before a model sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from clampsweep.errors import UserError, shown
from clampsweep.studies.steering.pairs import Pair
from clampsweep.studies.steering.topic_split import SHARES, plain, split_by_topic, stays_with
from clampsweep.tables import Column, Schema

ERROR, WARNING = "error", "warning"

PAIR_LINT = Schema(
    "steering pair lint",
    {
        "check": Column("str", "what was looked for"),
        "column": Column("str", "prompt, match, nonmatch, answers, letter or topic"),
        "severity": Column("str", "error: the pairs are refused; warning: reported"),
        "n_pairs": Column("int", "pairs that it is about"),
        "value": Column("float", "what was measured, in the unit that detail names", null=True),
        "limit": Column("float", "the largest that is passed over", null=True),
        "detail": Column("str", "what it is, with the first pair that shows it"),
    },
    key=("check", "column", "detail"),
)


class Limits(NamedTuple):
    """What is passed over.

    Attributes:
        opening: Answers of a column that may begin with the same three words.
        words: Words by which the answers of a pair may differ.
        mean_words: Mean difference of the two columns, as a share of their mean length.
        letter: How far from one half the share of pairs whose match is (A) may be.
        shares: How far from what is wanted the share of a split may be.
    """

    opening: int = 8
    words: int = 3
    mean_words: float = 0.1
    letter: float = 0.1
    shares: float = 0.05


class Finding(NamedTuple):
    """A row of `PAIR_LINT`."""

    check: str
    column: str
    severity: str
    n_pairs: int
    value: float | None
    limit: float | None
    detail: str


_COLUMNS: Mapping[str, Callable[[Pair], str]] = {
    "prompt": lambda pair: pair.prompt,
    "match": lambda pair: pair.match,
    "nonmatch": lambda pair: pair.nonmatch,
}


def lint(
    pairs: Sequence[Pair], shares: Mapping[str, float] = SHARES, limits: Limits | None = None
) -> pd.DataFrame:
    """The table `PAIR_LINT` of a behaviour's pairs, errors first; without rows if all is well.

    Args:
        pairs: In the order of their file; findings name them by number, from 1.
        shares: Of the splits that are wanted, in any unit.
        limits: What is passed over; None takes the defaults of `Limits`.
    """
    limits = limits or Limits()
    found = [
        *_empty(pairs),
        *_equal(pairs),
        *_duplicates(pairs),
        *_lengths(pairs, limits),
        *_letters(pairs, limits),
        *_openings(pairs, limits),
        *_topics(pairs, shares, limits),
    ]
    found.sort(key=lambda one: one.severity != ERROR)
    table = pd.DataFrame(found, columns=list(PAIR_LINT.columns))
    return table.astype({"n_pairs": "int64", "value": "float64", "limit": "float64"})


def refuse(found: pd.DataFrame, where: str) -> None:
    """Stop at the first error of a table `PAIR_LINT`.

    Args:
        found: The table.
        where: What the pairs are of, such as their file.

    Raises:
        UserError: There is one.
    """
    errors = found[found["severity"] == ERROR]
    if len(errors):
        first = errors.iloc[0]
        raise UserError(
            f"{where}: {first['check']} in {first['column']}: {first['detail']} "
            f"({len(errors)} such errors in all); mend or remove these pairs"
        )


def _numbers(places: Sequence[int]) -> str:
    """Pairs by number, the first few."""
    few = ", ".join(str(at + 1) for at in places[:3])
    return f"pair{'s' if len(places) > 1 else ''} {few}{', ...' if len(places) > 3 else ''}"


def _empty(pairs: Sequence[Pair]) -> Iterator[Finding]:
    if not pairs:
        yield Finding("no pairs", "prompt", ERROR, 0, None, None, "there are none")
    for column, text_of in _COLUMNS.items():
        at = [number for number, pair in enumerate(pairs) if not text_of(pair).strip()]
        if at:
            yield Finding("empty", column, ERROR, len(at), None, None, _numbers(at))


def _equal(pairs: Sequence[Pair]) -> Iterator[Finding]:
    same = [plain(pair.match) == plain(pair.nonmatch) != "" for pair in pairs]
    at = np.flatnonzero(same).tolist()
    if at:
        yield Finding("equal answers", "answers", ERROR, len(at), None, None, _numbers(at))


def _duplicates(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Texts that stand twice in a column, prompts of two topics, texts in both columns."""
    for column, text_of in _COLUMNS.items():
        places: dict[str, list[int]] = {}
        for number, pair in enumerate(pairs):
            if text := plain(text_of(pair)):
                places.setdefault(text, []).append(number)
        twice = [same for same in places.values() if len(same) > 1]
        if twice:
            count = sum(map(len, twice))
            detail = f"{_numbers(twice[0])}: {shown(text_of(pairs[twice[0][0]]))}"
            yield Finding("duplicates", column, WARNING, count, None, None, detail)
        apart = [same for same in twice if len({pairs[one].topic for one in same}) > 1]
        if apart and column == "prompt":  # it would be in two splits
            detail = f"{_numbers(apart[0])}: {shown(pairs[apart[0][0]].prompt)}"
            count = sum(map(len, apart))
            yield Finding("prompt of two topics", column, ERROR, count, None, None, detail)
    nonmatches = {plain(pair.nonmatch) for pair in pairs} - {""}
    at = [number for number, pair in enumerate(pairs) if plain(pair.match) in nonmatches]
    if at:
        detail = f"{_numbers(at)}: {shown(pairs[at[0]].match)}"
        yield Finding("answer in both columns", "answers", WARNING, len(at), None, None, detail)


def _lengths(pairs: Sequence[Pair], limits: Limits) -> Iterator[Finding]:
    words = np.array([[len(pair.match.split()), len(pair.nonmatch.split())] for pair in pairs])
    whole = np.flatnonzero(words.reshape(-1, 2).all(1))  # an empty answer is an error already
    if not len(whole):
        return
    words = words[whole]
    difference = words[:, 0] - words[:, 1]  # [pair]
    at = whole[np.abs(difference) > limits.words].tolist()
    if at:
        worst = float(np.abs(difference).max())
        detail = f"{_numbers(at)}; value: most words by which a pair differs"
        yield Finding("lengths of a pair", "answers", WARNING, len(at), worst, limits.words, detail)
    share = float(difference.mean() / words.mean())
    if abs(share) > limits.mean_words:
        longer = "match" if share > 0 else "nonmatch"
        detail = f"{longer} is the longer one; value: mean difference over mean length, in words"
        row = Finding("lengths", "answers", WARNING, len(pairs), share, limits.mean_words, detail)
        yield row


def _letters(pairs: Sequence[Pair], limits: Limits) -> Iterator[Finding]:
    letters = [pair.letter for pair in pairs if pair.letter is not None]
    if not letters:
        return
    share = letters.count("A") / len(letters)
    if not 0.5 - limits.letter <= share <= 0.5 + limits.letter:
        detail = "value: share of pairs whose match is (A); limit: how far from 0.5"
        row = Finding("letters", "letter", WARNING, len(letters), share, limits.letter, detail)
        yield row


def _openings(pairs: Sequence[Pair], limits: Limits) -> Iterator[Finding]:
    for column in ("match", "nonmatch"):
        texts = [_COLUMNS[column](pair).casefold().split() for pair in pairs]
        first = Counter(" ".join(words[:3]) for words in texts if len(words) >= 3)
        for opening, count in first.most_common():
            if count <= limits.opening:
                break
            detail = f"{opening!r}; value: answers that begin so"
            yield Finding("opening", column, WARNING, count, count, limits.opening, detail)


def _topics(
    pairs: Sequence[Pair], shares: Mapping[str, float], limits: Limits
) -> Iterator[Finding]:
    if not pairs:
        return
    without = [at for at, pair in enumerate(pairs) if pair.topic is None]
    if without and len(without) < len(pairs):
        detail = f"{_numbers(without)}: others have a topic"
        yield Finding("no topic", "topic", ERROR, len(without), None, None, detail)
    elif without:
        detail = "pairs are split by prompt, so what is talked about may be in two splits"
        yield Finding("no topic", "topic", WARNING, len(without), None, None, detail)
    groups = set(stays_with(pairs))
    if len(groups) < len(shares):
        detail = f"value: topics, one at least for each of {', '.join(shares)}"
        row = ("too few topics", "topic", ERROR, len(pairs), len(groups), len(shares), detail)
        yield Finding(*row)
        return
    split, total = Counter(split_by_topic(pairs, 0, shares)), sum(shares.values())
    for name, wanted in shares.items():
        got = split[name] / len(pairs)
        if abs(got - wanted / total) > limits.shares:
            detail = f"{name}: topics cannot be parted nearer to {wanted / total:.2f}; value: share"
            yield Finding("shares", "topic", WARNING, split[name], got, limits.shares, detail)
