"""From a request and its prompts to the combinations that it wants."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import pandas as pd

from clampsweep.errors import UserError
from clampsweep.provenance import json_digest
from clampsweep.studies.bcr.config import Sweep
from clampsweep.texts.combination import Combination
from clampsweep.texts.selection import Selected


def baselines(sweep: Sweep, prompts: pd.DataFrame) -> list[Combination]:
    """The baseline of every prompt, in the prompts' order, for each seed of sampling."""
    seeds = sweep.seeds if sweep.decoding.method == "sample" else (None,)
    model = sweep.model.identity
    return [
        Combination(model, text, None, "none", None, None, sweep.decoding, seed)
        for text in prompts["text"]
        for seed in seeds
    ]


def interventions(
    sweep: Sweep, prompts: pd.DataFrame, selected: Selected | None
) -> list[Combination]:
    """Every prompt x target x value x seed that the sweep wants, in the prompts' order.

    Args:
        sweep: The sweep.
        prompts: Its prompts.
        selected: Needed where `sweep.needs_statistics`.
    """
    if selected is not None:
        pairs = list(zip(selected.targets, selected.means, strict=True))
    elif not isinstance(sweep.targets, tuple):
        raise ValueError("the sweep selects its neurons: pass what was selected")
    else:
        pairs = [(target, None) for target in sweep.targets]
    texts, model = list(prompts["text"]), sweep.model.identity
    resampled = sweep.seeds if sweep.operation == "resample" else ()
    donors = {seed: _donors(texts, seed) for seed in resampled}
    return [
        Combination(
            model,
            text,
            target,
            sweep.operation,
            mean if sweep.operation == "mean" else value,
            sweep.scope,
            sweep.decoding,
            seed,
            donors[seed][text] if donors else None,
        )
        for text in texts
        for target, mean in pairs
        for value in sweep.values
        for seed in sweep.seeds
    ]


def _donors(texts: Sequence[str], seed: int | None) -> dict[str, str]:
    """The prompt that lends each one its activations: drawn by seed and prompt, never itself.

    Every text has a place on a ring, by lot, and so has every search for a donor; the next text
    along the ring is the donor. So a new prompt changes a donor only by becoming it.
    """
    ring = sorted((json_digest([seed, text]), text) for text in set(texts))
    if len(ring) < 2:
        raise UserError("operation resample needs at least two different prompts in the promptset")
    found = {}
    for _, text in ring:
        start = bisect.bisect(ring, (json_digest([seed, text, "donor"]), ""))
        near = (ring[(start + step) % len(ring)][1] for step in (0, 1))
        found[text] = next(other for other in near if other != text)
    return found
