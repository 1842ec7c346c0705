"""Hypotheses as data: what of an induction head's inputs is drawn from other examples.

A hypothesis scrubs cells (head, channel, source): a head of layer 1, its query, key or value, and
what of layer 0 goes into it, the embedding E or a head's output. Cells of a group are taken from
one other example. `reading.parse` checks words and keys; `cells.compiled` makes cells of them, when
it is known which heads a model has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from clampsweep.studies.scrubbing.samplers import UNCOND, Sampler

UNSCRUBBED, BASELINE = "unscrubbed", "baseline"  # what loss recovered is measured between

DECOHERENT = "-decoherent"  # ends the name of a hypothesis with a draw for each path

RANDOM = "-random-"  # and, before its number, of one that keeps others of the parts, as many

CHANNELS = ("q", "k", "v")

SKIP = "skip"  # the way past layer 1

FIXED = ("previous", "first", "self", "zero")  # patterns that an edit gives a head

PATTERNS = ("draw", "reference", "window", *FIXED)


class Term(NamedTuple):
    """Some sources of a cell, and what of them is drawn.

    Attributes:
        words: The first less the others: `L0-prev1` is ("L0", "prev1").
        pattern: What a layer-0 head's attention is computed from: one of `PATTERNS`.
        keep: Offsets (key - query, from and to) of the tokens whose values stay; None for none.
    """

    words: tuple[str, ...]
    pattern: str = "draw"
    keep: tuple[int, int] | None = None


@dataclass(frozen=True)
class Hypothesis:
    """What is scrubbed.

    Attributes:
        name: Of the experiment.
        heads: Words for the heads of layer 1 whose cells are meant.
        groups: For each draw, channel (or `skip`) -> what of it is scrubbed.
        edit: Word for a layer-0 head -> the pattern it is given, in this example and in draws.
        sampler: Where the draws come from.
        decoherent: Whether it is run with a draw for each path, too.
        controls: Number of random hypotheses of its size that it is held against.
        content: What decides its losses: its keys and values, as they stand in the file.
        where: File and place, for messages.
    """

    name: str
    heads: tuple[str, ...] = ()
    groups: tuple[Mapping[str, tuple[Term, ...]], ...] = ()
    edit: Mapping[str, str] = field(default_factory=dict)
    sampler: Sampler = UNCOND
    decoherent: bool = False
    controls: int = 0
    content: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""

    @property
    def variants(self) -> dict[str, str | int]:
        """What is run for it, by name: itself (empty), its decoherent form, the random ones."""
        found: dict[str, str | int] = {self.name: ""}
        if self.decoherent:
            found[self.name + DECOHERENT] = DECOHERENT
        numbers = range(1, self.controls + 1)
        return found | {f"{self.name}{RANDOM}{number}": number for number in numbers}


class Listed(NamedTuple):
    """A file of hypotheses.

    Attributes:
        hypotheses: In their order.
        curve: Names of those that keep more and more, for CPR and CMD; `unscrubbed` ends it.
    """

    hypotheses: tuple[Hypothesis, ...]
    curve: tuple[str, ...]
