"""Sequences that interventions are made in, and rows of `INTERVENTIONS`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Num

from clampsweep.names import Neuron
from clampsweep.studies.universal.roles.tables import CANDIDATE, INTERVENTIONS
from clampsweep.studies.universal.sequences import ids_of, spread


class Text(NamedTuple):
    """What interventions are made in.

    Attributes:
        sequences: Token ids, all of one length.
        blocks: Block of each.
        skip: First positions of a sequence that do not count.
    """

    sequences: Sequence[Sequence[int]]
    blocks: Int[np.ndarray, " row"]
    skip: int

    @property
    def length(self) -> int:
        """Tokens of a sequence."""
        return len(self.sequences[0])

    def some(self, most: int) -> Text:
        """At most so many sequences, evenly spread."""
        chosen = spread(len(self.sequences), most)
        return Text([self.sequences[at] for at in chosen], self.blocks[chosen], self.skip)


class Tried(NamedTuple):
    """A neuron that is tried.

    Attributes:
        neuron: Which.
        kind: Candidate, matched or plain.
        sign: That of its largest activations.
    """

    neuron: Neuron
    kind: str
    sign: int


class Trial(NamedTuple):
    """What was held, and at what.

    Attributes:
        role: Role that is tried.
        tried: The neuron.
        operation: Mean or clamp.
        value: What it was held at.
    """

    role: str
    tried: Tried
    operation: str
    value: float


def tried(roles: pd.DataFrame, controls: pd.DataFrame, role: str) -> list[Tried]:
    """Candidates of a role, then their controls.

    Args:
        roles: `ROLES`.
        controls: `CONTROLS`.
        role: Which.
    """
    own = roles[roles["role"] == role].assign(kind=CANDIDATE)
    both = pd.concat([own, controls[controls["role"] == role]])
    columns = (both[name].tolist() for name in ("layer", "neuron", "kind", "sign"))
    return [
        Tried(Neuron(layer, neuron), kind, sign)
        for layer, neuron, kind, sign in zip(*columns, strict=True)
    ]


def text_of(tokens: pd.DataFrame, domain: str, split: str, skip: int) -> Text:
    """Sequences of a domain's half.

    Args:
        tokens: un_tokens.
        domain: Which.
        split: Discovery or confirmation.
        skip: First positions that do not count.
    """
    own = tokens[(tokens["domain"] == domain) & (tokens["split"] == split)]
    return Text(ids_of(own), own["block"].to_numpy(int), skip)


def block_rows(
    trial: Trial,
    measure: str,
    blocks: Int[np.ndarray, " row"],
    natural: Float[np.ndarray, " row"],
    held: Float[np.ndarray, " row"],
) -> list[dict[str, Any]]:
    """A row of `INTERVENTIONS` for each block: means of a measure.

    Args:
        trial: What was held.
        measure: What was measured.
        blocks: Block of each position.
        natural: The measure there, with nothing held.
        held: The same with the neuron held.
    """
    return [
        {
            "role": trial.role,
            "kind": trial.tried.kind,
            "layer": trial.tried.neuron.layer,
            "neuron": trial.tried.neuron.index,
            "operation": trial.operation,
            "value": trial.value,
            "measure": measure,
            "block": int(block),
            "n": int((blocks == block).sum()),
            "natural": _mean(natural, blocks == block),
            "held": _mean(held, blocks == block),
        }
        for block in np.unique(blocks)
    ]


def _mean(values: Num[np.ndarray, " row"], some: np.ndarray) -> float:
    return float(values[some].mean(dtype=np.float64))


def table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a table of `INTERVENTIONS`."""
    kinds = {"int": "int64", "float": "float64"}
    types = {
        name: kinds[column.type]
        for name, column in INTERVENTIONS.columns.items()
        if column.type in kinds
    }
    return pd.DataFrame(list(rows), columns=list(INTERVENTIONS.columns)).astype(types)
