"""Where around an onset neurons are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = PRE, PRED, ONSET, WINDOW = "pre", "pred", "onset", "window"

BEFORE, LAST = 12, 8  # `pre` holds the tokens from the first to the second before the sentence
REACH = 50  # characters of `window` on either side of the onset


def positions(sample: Mapping[Any, Any]) -> dict[str, list[int]]:
    """Positions of each kind of a sample, prompt included; their vectors are averaged."""
    first = sample["sentence"]
    return {
        PRE: list(range(max(0, first - BEFORE), max(1, first - LAST + 1))),
        PRED: [sample["onset"] - 1],
        ONSET: [sample["onset"]],
        WINDOW: list(range(sample["window_start"], sample["window_end"] + 1)),
    }
