"""What rows of a batch became, as rows of its two tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from clampsweep.decoder.rows import Decoded
from clampsweep.models.model import Model
from clampsweep.names import neurons_in
from clampsweep.provenance import text_digest
from clampsweep.texts.combination import Combination


class Frames:
    """Rows of `BATCH_GENERATIONS` and `BATCH_VECTORS` of combinations, and their number of tokens.

    Args:
        part: The combinations.
        decoded: What each became.
        model: The model.
        tokens: Token ids of each prompt, by its text.
    """

    def __init__(
        self,
        part: Sequence[Combination],
        decoded: Sequence[Decoded],
        model: Model,
        tokens: Mapping[str, Sequence[int]],
    ):
        pairs = list(zip(part, decoded, strict=True))
        self.tokens = sum(len(got.token_ids) + (got.stop_reason == "eos") for got in decoded)
        self.generations = pd.DataFrame(
            [_generation_row(one, got, model, tokens[one.prompt]) for one, got in pairs]
        ).astype(
            {
                "layer": "Int64",
                "neuron": "Int64",
                "value": "float64",
                "seed": "Int64",
                "min_margin": "float64",
                "nll_unclamped": "float64",
                "p_end_first": "float64",
            }
        )
        self.vectors = pd.DataFrame(
            [
                {
                    "key": one.key,
                    "layer": layer,
                    "vector": got.vectors.get(layer),
                    "natural_value": natural,
                }
                for one, got in pairs
                for layer, natural in got.natural.items()
            ]
        ).astype({"natural_value": "float64"})


def _generation_row(
    one: Combination, got: Decoded, model: Model, prompt: Sequence[int]
) -> dict[str, object]:
    neurons = neurons_in(one.target)
    return {
        "key": one.key,
        "text_digest": text_digest(one.prompt),
        "target": one.target,
        "layer": one.layer,
        "neuron": neurons[0].index if len(neurons) == 1 else None,
        "operation": one.operation,
        "value": one.value,
        "scope": one.scope,
        "seed": one.seed,
        "n_prompt_tokens": len(prompt),
        "token_ids": got.token_ids,
        "text": model.decode(got.token_ids, after=prompt),
        "n_new_tokens": len(got.token_ids),
        "stop_reason": got.stop_reason,
        "min_margin": got.min_margin,
        "nll_unclamped": got.nll_unclamped,
        "p_end_first": got.p_end_first,
    }
