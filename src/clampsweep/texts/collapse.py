"""Collapse detectors: is a text broken (empty, a loop, noise)? docs/definitions.md, section 3.

Each detector is one function, registered by name; the config chooses among them. A blank text is
collapsed for every detector: a clamp that makes the model say nothing has recovered nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd

from clampsweep.errors import UserError, number, shown
from clampsweep.texts.given import beside, many_texts, one_text, token_ids
from clampsweep.texts.metrics import (
    distinct_share,
    entropy_bits,
    longest_periodic_suffix,
    n_symbols,
    texts_and_tokens,
    words,
)

_Test = TypeVar("_Test", bound=Callable[..., bool])


DISTINCT_PAIRS = 0.655  # share of token pairs

SURPRISE = 3.9  # nats per token


class Detector(Protocol):
    """Whether a text is collapsed, from the text, its token ids and its nll (None if unknown)."""

    def __call__(self, text: str, tokens: Sequence[int] | None, nll: float | None = None) -> bool:
        """Whether the text is collapsed."""


_DETECTORS: dict[str, Detector] = {}

_NEED_TOKENS: set[str] = set()


def _detector(name: str, *needs: str) -> Callable[[_Test], _Test]:
    """Register a test of some of text, tokens and nll as the detector of that name."""

    def register(test: _Test) -> _Test:
        def detect(text: str, tokens: Sequence[int] | None, nll: float | None = None) -> bool:
            if not one_text(text).strip():
                return True
            known = {"text": text, "tokens": tokens, "nll": nll}
            missing = [one for one in needs if known[one] is None]
            if missing:
                others = ", ".join(sorted(set(_DETECTORS) - _NEED_TOKENS))
                what = {"tokens": "token ids", "nll": "nll_unclamped"}[missing[0]]
                raise UserError(
                    f"collapse detector {name!r} needs {what}, which the text {text[:40]!r} "
                    f"lacks (imported texts have none); choose among {others}"
                )
            return test(*(known[one] for one in needs))

        _DETECTORS[name] = detect
        if needs != ("text",):
            _NEED_TOKENS.add(name)
        return test

    return register


def _dominance(text: str, width: int) -> float:
    """Share of the text that its commonest window of `width` characters covers; 0 if unrepeated.

    Overlapping windows all count, so that the share may exceed 1.
    """
    windows = Counter(text[start : start + width] for start in range(len(text) - width + 1))
    most = max(windows.values())
    return most * width / len(text) if most > 1 else 0.0


@_detector("surface", "text")
def surface(text: str) -> bool:
    """Whether the published heuristic calls a text collapsed.

    The stripped text is shorter than 6 characters; or one character makes up 0.9 of it; or some
    window of 2..7 characters covers 0.7 of it; or it is mostly symbols. It sees loops of short
    period only: most loops of whole sentences pass.
    """
    text = one_text(text).strip()
    n = len(text)
    if n < 6:
        return True
    if max(Counter(text).values()) / n >= 0.9:
        return True
    if any(_dominance(text, width) >= 0.7 for width in range(2, 8) if 2 * width <= n):
        return True
    alphanumeric = sum(char.isalnum() for char in text)
    return alphanumeric / n < 0.1 and n_symbols(text) / n > 0.8


@_detector("entropy", "text")
def entropy(text: str) -> bool:
    """Whether a text has a word entropy below 1.5 bits and fewer than 10 distinct words."""
    counts = Counter(words(text))
    return entropy_bits(counts) < 1.5 and len(counts) < 10


@_detector("loop", "tokens")
def loop(tokens: Sequence[int]) -> bool:
    """Whether the longest exactly periodic suffix covers at least half of the tokens.

    Period at most 32 tokens, at least 2.5 repeats.
    """
    tokens = token_ids(tokens)
    suffix = longest_periodic_suffix(tokens)
    return suffix is not None and 2 * suffix[1] >= len(tokens)


@_detector("coherence", "tokens", "nll")
def coherence(tokens: Sequence[int], nll: float) -> bool:
    """Whether a text repeats itself, or is so surprising to the unclamped model that it is noise.

    At most `DISTINCT_PAIRS` of its token pairs are distinct, or its nll_unclamped is at least
    `SURPRISE`. Both bounds were chosen on labelled texts of 30 to 50 tokens by SmolLM2-135M
    (`detector_quality.bounds`, workflow/data/bcr/README.md); another model needs its own.

    Raises:
        TypeError: These are no token ids, or the nll no number.
        ValueError: The nll is not known.
    """
    distinct = distinct_share(token_ids(tokens), 2)
    if nll is None or np.isnan(number("nll", nll)):
        raise ValueError(
            "nll: not known; give the text's mean -log p under the unclamped model, in nats per "
            "token (nll_unclamped)"
        )
    return nll >= SURPRISE or (distinct is not None and distinct <= DISTINCT_PAIRS)


DETECTORS: Mapping[str, Detector] = MappingProxyType(_DETECTORS)

NEEDS_TOKENS: frozenset[str] = frozenset(_NEED_TOKENS)


def collapsed(
    texts: Sequence[str],
    detector: str,
    tokens: Sequence[Sequence[int] | None] | None = None,
    nlls: Sequence[float | None] | None = None,
) -> np.ndarray:
    """Whether each text is collapsed: bool, shape [n], in order.

    Args:
        texts: Texts of any origin.
        detector: A key of `DETECTORS`.
        tokens: The same in model tokens; None where they are unknown.
        nlls: Mean negative log-likelihood of each under the unclamped model, nats per token; None
            or nan where it is unknown.

    Raises:
        UserError: The detector needs token ids or nlls, and a text has none.
        TypeError: They are no texts, no token ids or no numbers.
        ValueError: There is no such detector, or more or less is known than there are texts.
    """
    if detector not in DETECTORS:
        raise ValueError(f"detector: got {shown(detector)}; allowed: {', '.join(DETECTORS)}")
    detect, n = DETECTORS[detector], len(many_texts(texts))
    ids, known = beside("tokens", tokens, n), beside("nlls", nlls, n)
    return np.array(
        [
            detect(text, own, None if pd.isna(nll) else float(nll))
            for text, own, nll in zip(texts, ids, known, strict=True)
        ],
        dtype=bool,
    )


def flags(generations: pd.DataFrame, detector: str) -> np.ndarray:
    """Whether each generation is collapsed: bool, shape [n], in row order.

    Args:
        generations: A `GENERATIONS` table.
        detector: A key of `DETECTORS`.

    Raises:
        UserError: The detector needs token ids or nll_unclamped, and a generation has none.
    """
    pairs = texts_and_tokens(generations)
    if "nll_unclamped" not in generations:
        raise ValueError("generations: lacks the column 'nll_unclamped'; read generations.parquet")
    texts, ids = [text for text, _ in pairs], [own for _, own in pairs]
    return collapsed(texts, detector, ids, generations["nll_unclamped"].tolist())
