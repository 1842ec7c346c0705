"""Cells: a hypothesis of a model whose heads are known, as whole numbers.

`Experiment.cells[h, c, u]` says what head h of layer 1 gets in channel c (q, k, v) from upstream u
(0 the embedding E, 1 + i head i of layer 0): a number in `Experiment.sources`, of which 0 is the
reference. `Experiment.skip[u]` says the same of the way past layer 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.hypotheses import (
    CHANNELS,
    SKIP,
    UNSCRUBBED,
    Hypothesis,
    Term,
)
from clampsweep.studies.scrubbing.roles import LAYER_OF, Roles
from clampsweep.studies.scrubbing.samplers import UNCOND, Sampler


class Source(NamedTuple):
    """What a cell gets.

    Attributes:
        draw: Number of the draw; 0 for the reference.
        pattern: What a layer-0 head's attention is computed from (`hypotheses.PATTERNS`).
        keep: Offsets of the tokens whose values are the reference's; None for none.
    """

    draw: int
    pattern: str = "draw"
    keep: tuple[int, int] | None = None


REFERENCE = Source(0)


class Experiment(NamedTuple):
    """What is scrubbed in a model, compiled.

    Attributes:
        name: Of the hypothesis, or of a variant of it (`variants`).
        sampler: Where the draws come from.
        sources: What cells get; the first is the reference.
        cells: For each head of layer 1, channel and upstream: a number in `sources`.
        skip: The same of the way past layer 1.
    """

    name: str
    sampler: Sampler
    sources: tuple[Source, ...]
    cells: Int[np.ndarray, "head 3 upstream"]
    skip: Int[np.ndarray, " upstream"]

    @property
    def draws(self) -> tuple[int, ...]:
        """Numbers of its draws."""
        used = {self.sources[i].draw for part in (self.cells, self.skip) for i in np.unique(part)}
        return tuple(sorted(used - {0}))

    @property
    def kept(self) -> int:
        """Number of cells that get the reference, the skip cells not counted."""
        return int((self.cells == 0).sum())


def unscrubbed(n_heads: int) -> Experiment:
    """The model as it is.

    Args:
        n_heads: Heads of a layer.
    """
    cells, skip = np.zeros((n_heads, 3, 1 + n_heads), int), np.zeros(1 + n_heads, int)
    return Experiment(UNSCRUBBED, UNCOND, (REFERENCE,), cells, skip)


def compiled(hypothesis: Hypothesis, roles: Roles) -> Experiment:
    """A hypothesis of a model whose heads are known.

    Args:
        hypothesis: Checked by `reading.parse`.
        roles: Of the model's heads.

    Raises:
        UserError: A word stands for no head, groups overlap, or nothing is scrubbed.
    """
    empty, where = unscrubbed(roles.n_heads), hypothesis.where
    # Rows of a table of all cells: 3 for each head, then one of the way past them.
    rows = np.concatenate([empty.cells.reshape(-1, 1 + roles.n_heads), empty.skip[None]])
    sources = [REFERENCE]
    heads = _heads(hypothesis.heads, 1, roles, f"{where}.heads")
    for number, group in enumerate(hypothesis.groups):
        for channel, terms in group.items():
            key = f"{where}.groups[{number}].{channel}"
            into = [-1] if channel == SKIP else [3 * h + CHANNELS.index(channel) for h in heads]
            for term in terms:
                source = Source(1 + number, term.pattern, term.keep)
                if source not in sources:
                    sources.append(source)
                _set(rows, into, _upstream(term, roles, key), sources, source, key)
    for word, pattern in hypothesis.edit.items():
        key = f"{where}.edit.{word}"
        for head in _heads((word,), 0, roles, key):
            _edit(rows, 1 + head, pattern, sources, key)
    cells = rows[:-1].reshape(empty.cells.shape)
    return Experiment(hypothesis.name, hypothesis.sampler, tuple(sources), cells, rows[-1])


def _set(
    rows: Int[np.ndarray, "row upstream"],
    into: Sequence[int],
    upstream: Sequence[int],
    sources: Sequence[Source],
    source: Source,
    where: str,
) -> None:
    """Give cells a source; they must have none yet."""
    number = sources.index(source)
    for row in into:
        for u in upstream:
            if rows[row, u] not in (0, number):
                head = "skip" if row == -1 else f"{CHANNELS[row % 3]} of 1.{row // 3}"
                draw = sources[rows[row, u]].draw - 1
                raise UserError(
                    f"{where}: {upstream_name(u)} -> {head} is scrubbed by groups[{draw}] too; "
                    "a cell has one draw, so take it out of one of them"
                )
            rows[row, u] = number


def _edit(
    rows: Int[np.ndarray, "row upstream"],
    u: int,
    pattern: str,
    sources: list[Source],
    where: str,
) -> None:
    """Give a layer-0 head a fixed pattern, whichever example its values come from."""
    for row in range(len(rows)):
        old = sources[rows[row, u]]
        if old.pattern != "draw" or old.keep is not None:
            raise UserError(f"{where}: a group gives this head a pattern too; leave one of them")
        new = old._replace(pattern=pattern)
        if new not in sources:
            sources.append(new)
        rows[row, u] = sources.index(new)


def _upstream(term: Term, roles: Roles, where: str) -> list[int]:
    """Numbers of upstream parts that a term stands for."""
    found = _places(term.words[0], roles, where)
    for word in term.words[1:]:
        less = _places(word, roles, where)
        found = [u for u in found if u not in less]
    if not found:
        raise UserError(f"{where}: {'-'.join(term.words)} is nothing: scrubs nothing; take it out")
    return found


def _places(word: str, roles: Roles, where: str) -> list[int]:
    """Upstream parts that a word stands for: 0 is E, 1 + i head i of layer 0."""
    if word == "E":
        return [0]
    if word == "all":
        return list(range(1 + roles.n_heads))
    return [1 + head for head in _heads((word,), 0, roles, where)]


def _heads(words: Sequence[str], layer: int, roles: Roles, where: str) -> list[int]:
    """Heads of a layer that words stand for, in ascending order."""
    return sorted({head for word in words for head in _heads_of(word, layer, roles, where)})


def _heads_of(word: str, layer: int, roles: Roles, where: str) -> Sequence[int]:
    """Heads of a layer that a word stands for."""
    if word == f"L{layer}":
        return range(roles.n_heads)
    role, rank = word.rstrip("0123456789"), word[len(word.rstrip("0123456789")) :]
    if LAYER_OF.get(role) == layer:
        heads = roles.heads.get(role, ())
        if not heads:
            raise UserError(f"{where}: no head is {role!r}: {roles.why_none.get(role, 'none')}")
        if rank and not 1 <= int(rank) <= len(heads):
            raise UserError(f"{where}: {word}: only {len(heads)} head(s) are {role!r}")
        return heads[int(rank) - 1 : int(rank)] if rank else heads
    if word.startswith(f"{layer}.") and int(word[2:]) < roles.n_heads:
        return [int(word[2:])]
    raise UserError(
        f"{where}: {word} is no head of layer {layer}; there are {layer}.0 to "
        f"{layer}.{roles.n_heads - 1}, L{layer} and the roles "
        f"{', '.join(name for name, of in LAYER_OF.items() if of == layer)}"
    )


def upstream_name(u: int) -> str:
    """Name of an upstream part: E, or a head of layer 0 such as 0.3.

    Args:
        u: Its number: 0 is the embedding, 1 + i head i.
    """
    return "E" if u == 0 else f"0.{u - 1}"
