"""Operations of an intervention, what each takes, and clamps in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from clampsweep.words import signed

VALUED = frozenset({"set", "add", "scale", "steer"})

_OPERATIONS = ("set", "add", "scale", "mean", "zero", "resample", "steer")

VALUE_MEANS = {
    "set": "value that the neuron is set to (activation units)",
    "add": "value added to the neuron (activation units)",
    "scale": "factor that the neuron is multiplied by",
    "steer": "multiple of the direction that is added to the residual stream",
}


@dataclass(frozen=True)
class Clamp:
    """What is done to a target: the operation, its value, and the positions it reaches.

    `value` is None where the operation needs none, or has one of its own per neuron (`mean`).
    """

    operation: str
    value: float | None
    scope: str

    @property
    def sort_key(self) -> tuple[int, str, float]:
        """Place among clamps: by operation, then scope, then value."""
        known = self.operation in _OPERATIONS
        rank = _OPERATIONS.index(self.operation) if known else len(_OPERATIONS)
        return rank, self.scope, self.value or 0.0


def clamp(operation: str, value: float | None, scope: str) -> Clamp:
    """The clamp that a row's three columns stand for; `value` may be NaN or pd.NA."""
    has_value = operation in VALUED and not pd.isna(value)
    return Clamp(operation, float(value) if has_value and value is not None else None, scope)


def describe(change: Clamp) -> str:
    """A clamp in full words, such as `set +25`, `scale x0.5` or `zero (last)`."""
    words = [change.operation]
    if change.value is not None:
        words.append(f"x{change.value:g}" if change.operation == "scale" else signed(change.value))
    if change.scope != "all":
        words.append(f"({change.scope})")
    return " ".join(words)


def positions(frame: pd.DataFrame, clamps: Sequence[Clamp]) -> list[int]:
    """Place among some clamps of each row of a table, by its operation, value and scope."""
    place = {change: position for position, change in enumerate(clamps)}
    rows = zip(frame["operation"], frame["value"], frame["scope"], strict=True)
    return [place[clamp(*row)] for row in rows]
