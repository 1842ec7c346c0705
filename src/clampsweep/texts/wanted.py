"""From a request and its prompts to the combinations that it wants."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import pandas as pd

from clampsweep.errors import UserError
from clampsweep.names import plain_direction
from clampsweep.provenance import json_digest
from clampsweep.texts.combination import Combination
from clampsweep.texts.request import TextRequest
from clampsweep.texts.selection import Selected


def baselines(request: TextRequest, prompts: pd.DataFrame) -> list[Combination]:
    """The baseline of every prompt, in the prompts' order, for each seed of sampling."""
    seeds = request.seeds if request.decoding.method == "sample" else (None,)
    model = request.model.identity
    return [
        Combination(
            model,
            text,
            None,
            "none",
            None,
            None,
            request.decoding,
            seed,
            prompt_format=request.prompt_format,
        )
        for text in prompts["text"]
        for seed in seeds
    ]


def interventions(
    request: TextRequest, prompts: pd.DataFrame, selected: Selected | None
) -> list[Combination]:
    """Every prompt x target x value x seed that the request wants, in the prompts' order.

    Args:
        request: What is asked for.
        prompts: Its prompts.
        selected: Needed where `request.needs_statistics`.
    """
    if selected is not None:
        more = selected.values or ((),) * len(selected.targets)
        rows = list(zip(selected.targets, selected.means, more, strict=True))
    elif not isinstance(request.targets, tuple):
        raise ValueError("the request's neurons are selected later: pass what was selected")
    else:
        rows = [(target, None, ()) for target in request.targets]
    texts, model = list(prompts["text"]), request.model.identity
    resampled = request.seeds if request.operation == "resample" else ()
    donors = {seed: _donors(texts, seed) for seed in resampled}
    along = request.directions if selected is None else selected.directions or request.directions
    digests = {one.target: one.digest for one in along}
    return [
        Combination(
            model,
            text,
            target,
            request.operation,
            mean if request.operation == "mean" else value,
            request.scope,
            request.decoding,
            seed,
            donors[seed][text] if donors else None,
            digests[plain_direction(target)] if digests else None,
            request.prompt_format,
        )
        for text in texts
        for target, mean, also in rows
        for value in dict.fromkeys((*request.values, *also))
        for seed in request.seeds
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
