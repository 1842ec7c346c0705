"""Collapse detectors: is a text broken (empty, a loop, noise)? docs/definitions.md, section 3.

Each detector is one function, registered by name; the config chooses among them. A blank text is
collapsed for every detector: a clamp that makes the model say nothing has recovered nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from clampsweep import text_metrics
from clampsweep.errors import UserError

Detector = Callable[[str, Sequence[int] | None], bool]
_Test = TypeVar("_Test", bound=Callable[[Any], bool])

_DETECTORS: dict[str, Detector] = {}
_NEED_TOKENS: set[str] = set()


def _detector(name: str, *, needs_tokens: bool) -> Callable[[_Test], _Test]:
    """Register a test of a text, or of its tokens, as the detector of that name."""

    def register(test: _Test) -> _Test:
        def detect(text: str, tokens: Sequence[int] | None) -> bool:
            if needs_tokens and tokens is None:
                others = ", ".join(sorted(set(_DETECTORS) - _NEED_TOKENS))
                raise UserError(
                    f"collapse detector {name!r} needs token ids, which the text {text[:40]!r} "
                    f"lacks (imported texts have none); choose among {others}"
                )
            return not text.strip() or test(tokens if needs_tokens else text)

        _DETECTORS[name] = detect
        if needs_tokens:
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


@_detector("surface", needs_tokens=False)
def surface(text: str) -> bool:
    """Whether the published heuristic calls a text collapsed.

    The stripped text is shorter than 6 characters; or one character makes up 0.9 of it; or some
    window of 2..7 characters covers 0.7 of it; or it is mostly symbols. It sees loops of short
    period only: most loops of whole sentences pass.
    """
    text = text.strip()
    n = len(text)
    if n < 6:
        return True
    if max(Counter(text).values()) / n >= 0.9:
        return True
    if any(_dominance(text, width) >= 0.7 for width in range(2, 8) if 2 * width <= n):
        return True
    alphanumeric = sum(char.isalnum() for char in text)
    return alphanumeric / n < 0.1 and text_metrics.n_symbols(text) / n > 0.8


@_detector("entropy", needs_tokens=False)
def entropy(text: str) -> bool:
    """Whether a text has a word entropy below 1.5 bits and fewer than 10 distinct words."""
    counts = Counter(text_metrics.words(text))
    return text_metrics.entropy_bits(counts) < 1.5 and len(counts) < 10


@_detector("loop", needs_tokens=True)
def loop(tokens: Sequence[int]) -> bool:
    """Whether the longest exactly periodic suffix covers at least half of the tokens.

    Period at most 32 tokens, at least 2.5 repeats.
    """
    suffix = text_metrics.longest_periodic_suffix(tokens)
    return suffix is not None and 2 * suffix[1] >= len(tokens)


DETECTORS: Mapping[str, Detector] = MappingProxyType(_DETECTORS)
NEEDS_TOKENS: frozenset[str] = frozenset(_NEED_TOKENS)


def flags(generations: pd.DataFrame, detector: str) -> np.ndarray:
    """Whether each generation is collapsed: bool, shape [n], in row order.

    Args:
        generations: A `tables.GENERATIONS` table.
        detector: A key of `DETECTORS`.

    Raises:
        UserError: The detector needs token ids and a generation has none.
    """
    detect = DETECTORS[detector]
    pairs = text_metrics.texts_and_tokens(generations)
    return np.array([detect(text, ids) for text, ids in pairs], dtype=bool)
