"""Trials on held-out events and controls, teacher-forced (table `TRIALS`).

The model reads what was said up to the onset; neurons are changed at the last position alone, or at
every token of the output; what it makes of the next token is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.capture import neuron_values
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.onset import (
    Sample,
    Set,
    chosen,
    lexicon_ids,
    measured,
    measures,
    read_sets,
)
from clampsweep.studies.backtracking.sampling import main
from clampsweep.studies.backtracking.sets import RANDOM, TOP
from clampsweep.studies.backtracking.splits import TEST
from clampsweep.studies.backtracking.tables import (
    INTERVENTIONS,
    MEAN,
    NONE,
    OUTPUT,
    PRED_POS,
    TRIALS,
    ZERO,
)
from clampsweep.studies.backtracking.trial import Holding, Prefix, adds_directly

_LONG = 3  # events of the scope output, and random sets tried on them


def part_of_trials(
    loaded: Callable[[], Model],
    samples: pd.DataFrame,
    traces: pd.DataFrame,
    table: pd.DataFrame,
    lexicon: Sequence[str],
    top: int,
    most: int,
    part: int,
    parts: int,
) -> pd.DataFrame:
    """A part of the `TRIALS` of a contrast; without rows where it has no ranking.

    Args:
        loaded: Loads the model; not called where there is no ranking.
        samples: `SAMPLES` of the contrast.
        traces: `TRACES`.
        table: `SETS`.
        lexicon: Words of the onset.
        top: Size of the set that is tested.
        most: Most events that are tried.
        part: Number of the part, from 0.
        parts: How many there are.
    """
    if table.empty:
        return _none()
    model = loaded()
    ids, every = lexicon_ids(model.tokenizer, lexicon), read_sets(table)
    tried = chosen(main(samples), traces, TEST, most)
    events = [one for one in tried if one.y]
    long = events[:: max(1, len(events) // _LONG)][:_LONG]
    few = [one for one in every if one.k == top and (one.kind == TOP or one.draw < _LONG)]
    few = [one for one in few if one.kind in (TOP, RANDOM)]
    pairs = [tried[at : at + 2] for at in range(0, len(tried), 2)][part::parts]
    short = trials(model, [one for pair in pairs for one in pair], every, ids, top)
    found = [short, output_trials(model, long[part::parts], few, ids)]
    return pd.concat([one for one in found if len(one)] or [_none()], ignore_index=True)


def trials(
    model: Model, samples: Sequence[Sample], sets: Sequence[Set], lexicon: Sequence[int], top: int
) -> pd.DataFrame:
    """Rows of `TRIALS` of scope pred_pos.

    Random sets of other sizes than the tested one are tried with zero and mean only.

    Args:
        model: Loaded model.
        samples: What is tried.
        sets: Sets of neurons.
        lexicon: Token ids of the onset.
        top: Size of the set that is tested.
    """
    planned = [
        (one, name)
        for one in sets
        for name in INTERVENTIONS
        if one.kind != RANDOM or one.k == top or name in (ZERO, MEAN)
    ]
    direct = bool(samples) and adds_directly(model, samples[0].ids)
    neurons = sorted({neuron for one in sets for neuron in one.neurons})
    distinct = list({tuple(sample.donor) for sample in samples})
    last = [[len(donor) - 1] for donor in distinct]
    values = neuron_values(model, distinct, last, neurons)
    donors = {
        donor: {neuron: value for (_, neuron), value in own.items()}
        for donor, own in zip(distinct, values, strict=True)
    }
    parts = [
        _tried(model, sample, planned, lexicon, direct, donors[tuple(sample.donor)])
        for sample in tqdm(samples, unit="sample", mininterval=1)
    ]
    return pd.concat(parts, ignore_index=True) if parts else _none()


def _none() -> pd.DataFrame:
    return pd.DataFrame(columns=list(TRIALS.columns))


def _tried(
    model: Model,
    sample: Sample,
    planned: Sequence[tuple[Set, str]],
    lexicon: Sequence[int],
    direct: bool,
    donor: Mapping[Neuron, float],
) -> pd.DataFrame:
    """Rows of a sample, given the values of its donor."""
    changed = (Holding(one.neurons, one.held_at(name, donor)) for one, name in planned)
    held = [Holding((), ()), *changed]
    tops = [at for at, (one, _) in enumerate(planned, 1) if one.kind == TOP] if direct else []
    straight = [held[at]._replace(direct=True) for at in tops]
    logits = Prefix(model, sample.ids).logits([*held, *straight])
    measured = measures(logits, sample.actual, lexicon)
    frame = measured[: len(held)].assign(
        **sample.names(),
        scope=PRED_POS,
        intervention=[NONE, *(name for _, name in planned)],
        set_kind=[NONE, *(one.kind for one, _ in planned)],
        k=[0, *(one.k for one, _ in planned)],
        draw=[0, *(one.draw for one, _ in planned)],
        lp_direct=np.nan,
        nll_rest=np.nan,
    )
    frame.loc[tops, "lp_direct"] = measured["lp_onset"].to_numpy()[len(held) :]
    return frame[list(TRIALS.columns)]


def output_trials(
    model: Model, samples: Sequence[Sample], sets: Sequence[Set], lexicon: Sequence[int]
) -> pd.DataFrame:
    """Rows of `TRIALS` of scope output: neurons held from the last token of the prompt on.

    Args:
        model: Loaded model.
        samples: Events.
        sets: Sets of neurons; each is held at zero, and at its mean at controls.
        lexicon: Token ids of the onset.
    """
    rows = [
        row
        for sample in tqdm(samples, unit="event", mininterval=1)
        for row in _over_output(model, sample, sets, lexicon)
    ]
    return pd.DataFrame(rows, columns=list(TRIALS.columns)) if rows else _none()


def _over_output(
    model: Model, sample: Sample, sets: Sequence[Set], lexicon: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Rows of a sample, the unchanged model's first."""
    text = [*sample.ids, *sample.more]
    prompt, said = text[: sample.n_prompt], torch.tensor(text[sample.n_prompt :])  # [output]
    inside, said = torch.tensor(list(lexicon), device=model.device), said.to(model.device)
    rest = ~torch.isin(said, inside)
    at = len(sample.ids) - sample.n_prompt  # the onset in the output
    base: Tensor | None = None
    prefix = Prefix(model, prompt)
    planned: list[tuple[Set | None, str]] = [(None, NONE)]
    planned += [(one, name) for one in sets for name in (ZERO, MEAN)]
    for one, name in planned:
        hooks = {} if one is None else holding(one, one.held_at(name, {}))
        logits = prefix.logits_along(said.tolist()[:-1], hooks)
        base = torch.log_softmax(logits.double(), dim=-1) if base is None else base
        onset, own, gone, _ = measured(logits, base, said, inside)
        yield {
            **sample.names(),
            "intervention": name,
            "scope": OUTPUT,
            "set_kind": NONE if one is None else one.kind,
            "k": 0 if one is None else one.k,
            "draw": 0 if one is None else one.draw,
            "lp_onset": float(onset[at]),
            "lp_actual": float(own[at]),
            "kl_next": float(gone[at]),
            "kl_rest": float(gone[rest].mean()),
            "lp_direct": None,
            "nll_rest": float(-own[rest].mean()),
        }


def holding(one: Set, values: Sequence[float]) -> Mapping[int, Any]:
    """Hooks, by layer, that hold a set's neurons at every position of a pass.

    Args:
        one: The set.
        values: Of its neurons.
    """
    by_layer: dict[int, list[tuple[int, float]]] = {}
    for neuron, value in zip(one.neurons, values, strict=True):
        by_layer.setdefault(neuron.layer, []).append((neuron.index, value))
    return {layer: partial(_hold, cells) for layer, cells in by_layer.items()}


def _hold(cells: list[tuple[int, float]], post: Float[Tensor, "row pos d_mlp"]) -> Tensor:
    changed = post.clone()
    for index, value in cells:
        changed[..., index] = value
    return changed
