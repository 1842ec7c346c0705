"""Events with matched controls, and activations at them, for tests of ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.studies.backtracking.captured import Captured, Layer
from clampsweep.studies.backtracking.pools import EVENT, OTHER, SAME
from clampsweep.studies.backtracking.splits import SPLITS


def matched(
    per_split: int | dict[str, int] = 12, per_problem: int = 1, controls: int = 4
) -> pd.DataFrame:
    """Rows of `SAMPLES`: of each split some problems with events, half the controls their own.

    The other half is of a trace of its own problem, in the same split.
    """
    rows = []
    counts = dict.fromkeys(SPLITS, per_split) if isinstance(per_split, int) else per_split
    for split, n in counts.items():
        for problem in range(n):
            for event in range(per_problem):
                name = f"{split}{problem}/{event}"
                kinds = [EVENT, *[SAME] * (controls // 2), *[OTHER] * (controls // 2)]
                for number, kind in enumerate(kinds):
                    own = f"{split}{(problem + 1) % n if kind == OTHER else problem}"
                    rows.append(
                        {
                            "contrast": "c",
                            "sample_id": f"{name}:{number}",
                            "match_id": name,
                            "trace_id": f"{own}{'/clean' if kind == OTHER else ''}",
                            "problem_id": own,
                            "split": split,
                            "y": int(kind == EVENT),
                            "control_kind": kind,
                            "sentence": 30 + number,
                            "onset": 30 + number,
                            "window_start": 25,
                            "window_end": 40,
                            "cur_token": 7,
                            "next_token": 9 if kind == EVENT else 5,
                            "offset": 20,
                            "rel_pos": 0.5,
                        }
                    )
    return pd.DataFrame(rows)


def shuffled(samples: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The same samples, but which of a match is called the event, and its controls, is by lot."""
    match = pd.factorize(samples["match_id"])[0]
    places = np.argsort(match, kind="stable")
    drawn = np.argsort(match + rng.random(len(match)))
    back = np.empty(len(match), int)
    back[places] = drawn
    names = {name: samples[name].to_numpy()[back] for name in ("y", "control_kind")}
    return samples.assign(**names)


def by_pairs(scores: Any, y: Any) -> float:
    """Share of event-control pairs in which the event is higher, ties half, one by one."""
    events = [s for s, one in zip(scores, y, strict=True) if one]
    controls = [s for s, one in zip(scores, y, strict=True) if not one]
    won = [1.0 if a > b else 0.5 if a == b else 0.0 for a in events for b in controls]
    return sum(won) / len(won)


class Dealt(Captured):
    """Stands for `Captured`: activations that a test has dealt, [sample, neuron] of each layer."""

    def __init__(
        self,
        samples: pd.DataFrame,
        posts: Sequence[np.ndarray],
        residuals: Sequence[np.ndarray] | None = None,
    ):
        self._at = {name: at for at, name in enumerate(self._names(samples))}
        self._posts = posts
        self._residuals = residuals if residuals is not None else [post[:, :4] for post in posts]

    @staticmethod
    def _names(samples: pd.DataFrame) -> list[tuple[Any, ...]]:
        return list(zip(samples["match_id"], samples["sample_id"], strict=True))

    def layer(self, number: int, kind: str, samples: pd.DataFrame) -> Layer:
        at = [self._at[name] for name in self._names(samples)]
        return Layer(self._posts[number][at], self._residuals[number][at])


def noise(
    samples: pd.DataFrame, rng: np.random.Generator, n_layers: int = 3, n_neurons: int = 20
) -> list[np.ndarray]:
    """Activations that know nothing of events: alike within a trace, and from neuron to neuron."""
    traces = pd.factorize(samples["trace_id"])[0]
    shared = rng.normal(size=(traces.max() + 1, n_layers, n_neurons))
    common = rng.normal(size=(len(samples), n_layers, 1))
    own = rng.normal(size=(len(samples), n_layers, n_neurons))
    values = 0.7 * shared[traces] + 0.5 * common + own
    return [np.maximum(values[:, at], -0.2).astype(np.float32) for at in range(n_layers)]
