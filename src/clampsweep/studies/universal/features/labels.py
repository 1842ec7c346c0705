"""Which tokens have which features: from the texts and the ends of their tokens. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from clampsweep.studies.universal.features.families import (
    AFTER,
    POSITION,
    PREVIOUS,
    SPANS,
    TESTS,
    TOPIC,
    WORD,
    Span,
    Test,
    unigrams,
)

N_UNIGRAMS = 28

_PLACES = {
    "first_eighth": ("the first eighth of the sequence", 0, 1 / 8),
    "first_quarter": ("the first quarter of the sequence", 0, 1 / 4),
    "second_half": ("the second half of the sequence", 1 / 2, 1),
}

_LETTERS_OF_NAME = 24


class Feature(NamedTuple):
    """A feature of tokens.

    Attributes:
        name: Short and readable.
        family: One of `families.FAMILIES`.
        what: What has it, in words.
        whole: Whether all tokens of a sequence have it, or none.
    """

    name: str
    family: str
    what: str
    whole: bool = False


class Labels(NamedTuple):
    """Which positions have which features.

    Attributes:
        features: In order.
        values: Whether a position has it.
    """

    features: list[Feature]
    values: Bool[np.ndarray, "sequence pos feature"]

    def of(self, sequences: Bool[np.ndarray, " sequence"]) -> Labels:
        """Those of some sequences."""
        return Labels(self.features, self.values[sequences])

    def only(self, names: Sequence[str]) -> Labels:
        """Those of some features, in the order of the names."""
        place = {one.name: at for at, one in enumerate(self.features)}
        chosen = [place[name] for name in names]
        return Labels([self.features[at] for at in chosen], self.values[:, :, chosen])


def pieces_of(text: str, ends: Sequence[int]) -> list[str]:
    """Characters of each token; none of a token that ends inside a character.

    Args:
        text: Of the sequence.
        ends: Characters that are complete at each token's end.
    """
    starts = [0, *ends[:-1]]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def labels(found: pd.DataFrame, languages: Mapping[str, str], skip: int) -> Labels:
    """All features of all positions that count.

    Args:
        found: A `TOKENS` table, whose sequences are equally long.
        languages: Of each domain.
        skip: First positions of a sequence that do not count.
    """
    texts, ends = found["text"].tolist(), [list(map(int, one)) for one in found["ends"]]
    pieces = [pieces_of(text, own) for text, own in zip(texts, ends, strict=True)]
    tests = (*unigrams((one for own in pieces for one in own), N_UNIGRAMS), *TESTS)
    columns: dict[Feature, Bool[np.ndarray, "sequence pos"]] = {}
    for test, values in zip(tests, _by_test(pieces, tests), strict=True):
        columns[Feature(test.name, test.family, test.what)] = values
    for span in SPANS:
        rows = [_by_span(text, own, span) for text, own in zip(texts, ends, strict=True)]
        columns[Feature(span.name, span.family, span.what)] = np.stack(rows)
    columns |= _word_parts(texts, ends, pieces)
    columns |= dict(_after(columns))
    columns |= dict(_places(np.asarray(ends).shape, skip))
    columns |= dict(_topics(found["domain"].to_numpy(), languages, np.asarray(ends).shape))
    return Labels(list(columns), np.stack(list(columns.values()), axis=-1)[:, skip:])


def _by_test(
    pieces: Sequence[Sequence[str]], tests: Sequence[Test]
) -> Bool[np.ndarray, "test sequence pos"]:
    """What each test says of each token; a string is asked once."""
    words, number = np.unique(np.array(pieces, dtype=object), return_inverse=True)
    answers = np.array([[bool(word) and test.holds(word) for word in words] for test in tests])
    return np.asarray(answers[:, number.reshape(len(pieces), -1)])


def _by_span(text: str, ends: Sequence[int], span: Span) -> Bool[np.ndarray, " pos"]:
    """Which tokens hold a character of a place that the pattern finds."""
    marked = np.zeros(len(text) + 1, dtype=np.int64)
    for match in span.pattern.finditer(text):
        marked[match.start() + 1 : match.end() + 1] = 1
    before = np.cumsum(marked)[np.array([0, *ends])]
    return np.asarray(np.diff(before) > 0)


def _word_parts(
    texts: Sequence[str], ends: Sequence[Sequence[int]], pieces: Sequence[Sequence[str]]
) -> dict[Feature, Bool[np.ndarray, "sequence pos"]]:
    """Whether a token goes on with a word, and whether it begins one that goes on."""
    goes_on = np.zeros((len(texts), len(ends[0])), dtype=bool)
    for row, (text, own, parts) in enumerate(zip(texts, ends, pieces, strict=True)):
        for at, (end, piece) in enumerate(zip(own, parts, strict=True)):
            start = end - len(piece)
            goes_on[row, at] = start > 0 and piece[:1].isalpha() and text[start - 1].isalpha()
    following = np.zeros_like(goes_on)
    following[:, :-1] = goes_on[:, 1:]
    return {
        Feature("continues_word", WORD, "the token goes on with a word"): goes_on,
        Feature("begins_word", WORD, "the first of several tokens of a word"): following & ~goes_on,
    }


def _after(
    columns: Mapping[Feature, Bool[np.ndarray, "sequence pos"]],
) -> Iterator[tuple[Feature, Bool[np.ndarray, "sequence pos"]]]:
    """Features of the token before."""
    by_name = {feature.name: (feature, values) for feature, values in columns.items()}
    for name in AFTER:
        if name in by_name:
            feature, values = by_name[name]
            shifted = np.zeros_like(values)
            shifted[:, 1:] = values[:, :-1]
            what = f"the token before has the feature {name}: {feature.what}"
            yield Feature(f"next_to_{name}", PREVIOUS, what), shifted


def _places(
    shape: tuple[int, ...], skip: int
) -> Iterator[tuple[Feature, Bool[np.ndarray, "sequence pos"]]]:
    """Parts of the sequence, of the positions that count."""
    sequences, context = shape
    at = (np.arange(context) - skip) / (context - skip)
    for name, (what, low, high) in _PLACES.items():
        values = np.tile((at >= low) & (at < high), (sequences, 1))
        yield Feature(name, POSITION, what), values


def _topics(
    domains: np.ndarray, languages: Mapping[str, str], shape: tuple[int, ...]
) -> Iterator[tuple[Feature, Bool[np.ndarray, "sequence pos"]]]:
    """Domains, and languages of several domains."""
    spoken = list(languages.values())
    several = dict.fromkeys(one for one in spoken if 1 < spoken.count(one) < len(spoken))
    for name in dict.fromkeys(domains):
        own = domains == name
        yield (
            Feature(f"domain_{name[:_LETTERS_OF_NAME]}", TOPIC, f"a text of {name}", whole=True),
            np.tile(own[:, None], (1, shape[1])),
        )
    for language in several:
        own = np.array([languages[name] == language for name in domains])
        yield (
            Feature(f"language_{language}", TOPIC, f"a text in {language}", whole=True),
            np.tile(own[:, None], (1, shape[1])),
        )


def same_as(found: Labels) -> dict[str, str]:
    """Features that have the very tokens of an earlier one, and that one's name."""
    first: dict[bytes, str] = {}
    same = {}
    for at, feature in enumerate(found.features):
        own = np.packbits(found.values[:, :, at]).tobytes()
        if feature.name != (earlier := first.setdefault(own, feature.name)):
            same[feature.name] = earlier
    return same


def counts(found: Labels) -> Int[np.ndarray, " feature"]:
    """Number of positions that have each feature."""
    return np.asarray(found.values.sum((0, 1)))
