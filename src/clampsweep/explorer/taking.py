"""What Sweep here takes from Try: the prompt, what is changed, how tokens are chosen.

It takes them when it is opened, but for what was set there since the last time: that stays, and a
button takes it all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, NamedTuple

from clampsweep.explorer.settings import ClampSetting
from clampsweep.explorer.steering import SteerSetting
from clampsweep.operations import VALUED

PARTS = ("prompt", "what is changed", "decoding")


class Change(NamedTuple):
    """What is swept, and what is held beside it.

    Attributes:
        what: `neuron` or `direction`.
        layer: Of the neuron.
        neuron: Its place in the layer.
        operation: Of the clamp.
        steer: The direction; its multiple does not count.
        held: Clamps that hold in every text of the sweep but the baseline.
    """

    what: str
    layer: Any
    neuron: Any
    operation: str
    steer: SteerSetting
    held: tuple[ClampSetting, ...]

    @property
    def counted(self) -> tuple[Any, ...]:
        """What of it decides the texts."""
        own = astuple(self.steer)[1:5] if self.what == "direction" else self[1:4]
        return self.what, own, self.held


class Form(NamedTuple):
    """What one of the two forms holds: the prompt's and the decoding's components, the change."""

    prompt: tuple[Any, ...]
    change: Change | None
    decoding: tuple[Any, ...]

    @property
    def counted(self) -> tuple[Any, ...]:
        """What of each part decides the texts; other fields are hidden."""
        text, kind, system = self.prompt
        method, tokens, *drawn, scope, positions, strings = self.decoding
        return (
            (text, kind, system if kind == "chat" else ""),
            None if self.change is None else self.change.counted,
            (
                method, tokens, scope, strings,
                drawn if method == "sample" else [],
                positions if scope == "positions" else "",
            ),
        )  # fmt: skip


def change_of(rows: Sequence[ClampSetting], steer: SteerSetting) -> Change | None:
    """What a sweep makes of Try's rows; None if nothing is on that can be swept.

    The direction is swept if Try steers, and all clamps are held; else the first clamp that takes a
    value is swept, and the others are held.
    """
    on = [row for row in rows if row.on and None not in (row.layer, row.neuron)]
    if steer.on:
        return Change("direction", None, None, "", steer, tuple(on))
    first = next((row for row in on if row.operation in VALUED), None)
    if first is None:
        return None
    others = tuple(row for row in on if row is not first)
    return Change("neuron", first.layer, first.neuron, first.operation, steer, others)


class Merged(NamedTuple):
    """The sweep's form once it has taken from Try.

    Attributes:
        form: As it shall be.
        taken: What to compare it with the next time.
        stays: Which parts stay as they were set there, other than in Try.
    """

    form: Form
    taken: Form
    stays: list[str]


def merged(tried: Form, held: Form, taken: Form | None) -> Merged:
    """Take each part from Try, but for those that were set in the sweep's form.

    Args:
        tried: Try's form; a change that is None is not taken.
        held: The sweep's form as it is.
        taken: What was taken the last time; None to take all.
    """
    parts: list[Any] = []
    records: list[Any] = []
    stays: list[str] = []
    for at, (name, one) in enumerate(zip(PARTS, tried, strict=True)):
        ours = held.counted[at]
        was_set = taken is not None and ours not in (taken.counted[at], tried.counted[at])
        take = one is not None and not was_set
        parts.append(one if take else held[at])
        records.append(taken[at] if was_set and taken else parts[-1])
        stays += [name] if one is not None and was_set else []
    return Merged(Form(*parts), Form(*records), stays)
