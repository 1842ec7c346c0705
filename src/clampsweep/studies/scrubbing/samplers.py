"""Samplers: which other example a draw comes from, the same whatever else is drawn.

A draw is a digest of (seed, sampler, draw, example, repeat), so it depends neither on the order nor
on the blocks in which examples are run, and draw 1 of one experiment is draw 1 of any other with
the same sampler: experiments differ by what they scrub, not by luck.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from clampsweep.errors import UserError


class Sampler(NamedTuple):
    """Where a draw comes from.

    - `exact`: the example itself, so that nothing changes.
    - `uncond`: any other example, all equally likely.
    - `fixed(7)`: example 7.
    - `func(first-token)`: any other example that has the same feature; itself if none has.

    Attributes:
        kind: The word.
        of: The example of `fixed`, the feature of `func`; else empty.
    """

    kind: str
    of: str = ""


UNCOND = Sampler("uncond")

_Tokens = Int[np.ndarray, "example pos"]

FEATURES: dict[str, Callable[[_Tokens], Int[np.ndarray, " example"]]] = {
    "first-token": lambda tokens: tokens[:, 1],  # after BOS
    "last-token": lambda tokens: tokens[:, -1],
    "n-distinct": lambda tokens: np.array([len(np.unique(one)) for one in tokens]),
}
"""What `func` draws by, of each example's tokens."""


def parse_sampler(content: Any, where: str) -> Sampler:
    """The sampler that a text stands for.

    Args:
        content: Such as `func(first-token)`.
        where: File and key, for messages.

    Raises:
        UserError: It stands for none.
    """
    found = re.fullmatch(r"(exact|uncond)|(fixed)\((\d+)\)|(func)\(([a-z-]+)\)", str(content))
    if not found or (found[4] and found[5] not in FEATURES):
        raise UserError(
            f"{where}: got {content!r}; write exact, uncond, fixed(<number of an example>), or "
            f"func(<feature>) with one of {', '.join(FEATURES)}"
        )
    return Sampler(found[1] or found[2] or found[4], found[3] or found[5] or "")


class Pool:
    """The examples that are drawn from.

    Args:
        tokens: Of all examples, BOS first.
        seed: Of all draws.
    """

    def __init__(self, tokens: Int[np.ndarray, "example pos"], seed: int):
        self.n, self.seed, self._tokens = len(tokens), seed, tokens
        self._groups: dict[str, Int[np.ndarray, " example"]] = {}  # feature -> of each example

    def check(self, sampler: Sampler, where: str) -> None:
        """Refuse a sampler that cannot draw from so few examples.

        Raises:
            UserError: `fixed` names one that is not there, or there is no other example.
        """
        if sampler.kind == "fixed" and int(sampler.of) >= self.n:
            raise UserError(f"{where}: fixed({sampler.of}): there are examples 0 to {self.n - 1}")
        if sampler.kind in ("uncond", "func") and self.n < 2:
            raise UserError(
                f"{where}: {sampler.kind}: draws need at least 2 examples, got {self.n}"
            )

    def draw(self, sampler: Sampler, draw: int, reference: int, repeat: int = 0) -> int:
        """Number of the example that a draw comes from.

        Args:
            sampler: Where from.
            draw: Number of the draw in the experiment.
            reference: The example that is scrubbed.
            repeat: Which time, where an example is scrubbed again and again.
        """
        if sampler.kind == "exact":
            return reference
        if sampler.kind == "fixed":
            return int(sampler.of)
        key = f"{self.seed}/{sampler.kind}/{sampler.of}/{draw}/{reference}/{repeat}"
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
        if sampler.kind == "uncond":
            return _other(number, self.n, reference)
        alike, place = self._alike(sampler.of, reference)
        return alike[_other(number, len(alike), place)] if len(alike) > 1 else reference

    def _alike(self, feature: str, reference: int) -> tuple[list[int], int]:
        """Examples with the same feature in ascending order, and the place of this one."""
        if feature not in self._groups:
            self._groups[feature] = FEATURES[feature](self._tokens)
        values = self._groups[feature]
        alike = np.flatnonzero(values == values[reference]).tolist()
        return alike, alike.index(reference)


def _other(number: int, n: int, own: int) -> int:
    """One of 0..n-1 but `own`, by a large number."""
    other = number % (n - 1)
    return other + (other >= own)
