"""What the top neurons do around events, token by token, and along which directions they write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64

from clampsweep import tables
from clampsweep.models.activations import traces as neuron_traces
from clampsweep.models.model import Model
from clampsweep.models.tokens import behind_letter
from clampsweep.names import Neuron
from clampsweep.statistics import rank_p
from clampsweep.studies.backtracking.found_events import COUNTED, EVENTS
from clampsweep.studies.backtracking.heldout import main
from clampsweep.studies.backtracking.pools import EVENT
from clampsweep.studies.backtracking.position_kinds import PRED
from clampsweep.studies.backtracking.splits import TEST
from clampsweep.studies.backtracking.tables import AROUND, SPANS, STRIPS
from clampsweep.studies.backtracking.traces import TRACES

OFFSETS = range(-15, 6)  # tokens from the onset

_DRAWS = 100  # sets of other neurons that spans are held against


class Followed(NamedTuple):
    """Tables of a contrast; without rows where it has no ranking."""

    around: pd.DataFrame
    strips: pd.DataFrame
    spans: pd.DataFrame


class SeenTraces(NamedTuple):
    """`TRACES` and their `EVENTS`."""

    traces: pd.DataFrame
    events: pd.DataFrame


def seen_traces(traces: Path | str, events: Path | str) -> SeenTraces:
    """Traces and events of files."""
    return SeenTraces(tables.read(traces, TRACES), tables.read(events, EVENTS))


def follow(
    loaded: Callable[[], Model],
    samples: pd.DataFrame,
    seen: SeenTraces,
    neurons: pd.DataFrame,
    directions: pd.DataFrame,
    top: int,
    shown: int,
    seed: int,
) -> Followed:
    """Tables `AROUND` of held-out events, `STRIPS` of some of their traces, and `SPANS`.

    Args:
        loaded: Loads the model; not called where there is no ranking.
        samples: `SAMPLES` of the contrast.
        seen: Traces and their events.
        neurons: Its `NEURONS`.
        directions: Its `DIRECTIONS`.
        top: How many of the top neurons are followed.
        shown: How many traces with an event are shown, and neurons in them.
        seed: Of random sets.
    """
    if neurons.empty:
        empty = (pd.DataFrame(columns=list(one.columns)) for one in (AROUND, STRIPS, SPANS))
        return Followed(*empty)
    model, traces = loaded(), seen.traces
    ranked = neurons[neurons["position_kind"] == PRED].sort_values("rank")[:top]
    tops = [Neuron(int(a), int(b)) for a, b in zip(ranked["layer"], ranked["neuron"], strict=True)]
    held = main(samples)
    held = held[held["split"] == TEST]
    ids = {
        row["trace_id"]: [*map(int, row["prompt_ids"]), *map(int, row["output_ids"])]
        for row in traces.to_dict("records")
    }
    names = list(dict.fromkeys(held.loc[held["control_kind"] == EVENT, "trace_id"]))[:shown]
    shown_traces = traces[traces["trace_id"].isin(names)]
    return Followed(
        around(model, held, ids, tops),
        strips(model, shown_traces, _marked(seen.events, traces), tops[:shown]),
        spans(model, directions, neurons, top, _DRAWS, seed),
    )


def _marked(events: pd.DataFrame, traces: pd.DataFrame) -> dict[str, set[int]]:
    """Tokens of events, by trace."""
    ends = dict(zip(traces["trace_id"], traces["ends"], strict=True))
    marked: dict[str, set[int]] = {}
    for row in events[events["class"].isin(COUNTED)].to_dict("records"):
        own = ends[row["trace_id"]]
        last = next((at for at, end in enumerate(own) if end >= row["char_end"]), len(own) - 1)
        marked.setdefault(row["trace_id"], set()).update(range(row["tok_onset"], last + 1))
    return marked


def around(
    model: Model, samples: pd.DataFrame, ids: Mapping[str, Sequence[int]], neurons: Sequence[Neuron]
) -> pd.DataFrame:
    """The table `AROUND`: values of some neurons from 15 tokens before an onset to 5 behind it.

    Args:
        model: Loaded model.
        samples: Rows of `SAMPLES`.
        ids: Token ids of whole traces, by name.
        neurons: The neurons.
    """
    names = sorted(set(samples["trace_id"]))
    found = dict(
        zip(names, neuron_traces(model, [ids[name] for name in names], neurons), strict=True)
    )
    rows = []
    for sample in samples.to_dict("records"):
        values, onset = found[sample["trace_id"]], int(sample["onset"])
        for offset in OFFSETS:
            at = onset + offset
            if not 0 <= at < len(ids[sample["trace_id"]]):
                continue
            for neuron in neurons:
                rows.append(
                    {
                        **{
                            name: sample[name]
                            for name in ("sample_id", "match_id", "problem_id", "y")
                        },
                        "offset": offset,
                        "layer": neuron.layer,
                        "neuron": neuron.index,
                        "value": values[neuron][at],
                    }
                )
    return pd.DataFrame(rows, columns=list(AROUND.columns))


def strips(
    model: Model, traces: pd.DataFrame, marked: Mapping[str, set[int]], neurons: Sequence[Neuron]
) -> pd.DataFrame:
    """The table `STRIPS`: values of some neurons at every token of the outputs.

    Args:
        model: Loaded model.
        traces: Rows of `TRACES`.
        marked: Tokens of sentences of events, by trace.
        neurons: The neurons.
    """
    read = behind_letter(model.tokenizer)
    rows: list[dict[str, Any]] = []
    for trace in traces.to_dict("records"):
        prompt, output = list(map(int, trace["prompt_ids"])), list(map(int, trace["output_ids"]))
        (values,) = neuron_traces(model, [[*prompt, *output]], neurons)
        texts = list(_texts(trace["output"], trace["ends"], read, output))
        for at, text in enumerate(texts):
            for neuron in neurons:
                rows.append(
                    {
                        "trace_id": trace["trace_id"],
                        "position": at,
                        "token": text,
                        "event": at in marked.get(trace["trace_id"], set()),
                        "layer": neuron.layer,
                        "neuron": neuron.index,
                        "value": values[neuron][len(prompt) + at],
                    }
                )
    return pd.DataFrame(rows, columns=list(STRIPS.columns))


def _texts(output: str, ends: Sequence[int], read: Any, ids: Sequence[int]) -> Iterator[str]:
    """What each token adds to the output; what is no whole character is read by itself."""
    before = 0
    for token, end in zip(ids, ends, strict=True):
        yield output[before:end] if end > before else read([token])
        before = end


def spans(
    model: Model,
    directions: pd.DataFrame,
    neurons: pd.DataFrame,
    top: int,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """The table `SPANS`: how much of the residual direction the top neurons write.

    Args:
        model: Loaded model.
        directions: A `DIRECTIONS` table.
        neurons: `NEURONS` of the same kinds.
        top: How many top neurons.
        draws: Random sets.
        seed: Of these.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for row in directions.to_dict("records"):
        ranked = neurons[neurons["position_kind"] == row["position_kind"]].sort_values("rank")
        own = ranked[:top]
        own = own[own["layer"] <= row["layer"]]
        chosen = {int(layer): part["neuron"].tolist() for layer, part in own.groupby("layer")}
        direction = np.asarray(row["vector"], dtype=float)
        share = _share(model, chosen, direction)
        others = [_share(model, _others(model, chosen, rng), direction) for _ in range(draws)]
        rows.append(
            {
                "position_kind": row["position_kind"],
                "layer": row["layer"],
                "k": len(own),
                "share": share,
                "random_mean": float(np.mean(others)),
                "random_high": float(np.percentile(others, 95)),
                "p": rank_p(share, others),
            }
        )
    return pd.DataFrame(rows, columns=list(SPANS.columns))


def _others(
    model: Model, chosen: Mapping[int, Sequence[int]], rng: np.random.Generator
) -> dict[int, list[int]]:
    """As many other neurons of each layer, each once; fewer where there are no more."""
    found = {}
    for layer, own in chosen.items():
        free = np.setdiff1d(np.arange(model.d_mlp), own)
        found[layer] = rng.choice(free, min(len(own), len(free)), replace=False).tolist()
    return found


def _share(
    model: Model, chosen: Mapping[int, Sequence[int]], direction: Float64[np.ndarray, " d"]
) -> float:
    """Share of a direction's squared length in the span of some neurons' output directions.

    Args:
        model: Loaded model.
        chosen: Neurons by layer.
        direction: The direction.
    """
    if not chosen:
        return 0.0
    parts = [
        model.output_directions(layer, torch.tensor(own, device=model.device))
        for layer, own in chosen.items()
    ]
    columns = torch.cat(parts).double().cpu().numpy().T  # [d, neuron]; some may depend on others
    within = columns @ np.linalg.lstsq(columns, direction)[0]
    return float(within @ within / (direction @ direction))
