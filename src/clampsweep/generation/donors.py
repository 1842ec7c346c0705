"""Donors of resampling: their activations over their greedy baseline runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope
from clampsweep.models.activations import traces
from clampsweep.models.model import Model
from clampsweep.names import Neuron, neurons_in
from clampsweep.texts.combination import Combination

Lenders = Mapping[str, Mapping[Neuron, tuple[float, ...]]]  # donor prompt, neuron: its values
"""Values that donors lend, by prompt, neuron and position."""


def lenders(
    model: Model,
    combinations: Sequence[Combination],
    tokens: Mapping[str, Sequence[int]],
    rows_per_forward: int,
) -> Lenders:
    """For resampling: each donor prompt's natural values over its greedy baseline run.

    Args:
        model: The model.
        combinations: Those that name donors count.
        tokens: Token ids of each prompt, by its text; the donors' too.
        rows_per_forward: Most rows in one forward pass.
    """
    donors = sorted({one.donor for one in combinations if one.donor is not None})
    if not donors:
        return {}
    neurons = sorted({neuron for one in combinations for neuron in neurons_in(one.target)})
    greedy = replace(combinations[0].decoding, method="greedy")
    sequences: dict[str, list[int]] = {}
    by_length = sorted(donors, key=lambda text: len(tokens[text]))
    for start in range(0, len(donors), rows_per_forward):
        part = by_length[start : start + rows_per_forward]
        decoded = decode(
            model, [tokens[one] for one in part], [[] for _ in part], Scope("all"), greedy
        )
        for text, got in zip(part, decoded, strict=True):
            sequences[text] = [*tokens[text], *got.token_ids]
    found = traces(model, [sequences[text] for text in donors], neurons)
    return dict(zip(donors, found, strict=True))
