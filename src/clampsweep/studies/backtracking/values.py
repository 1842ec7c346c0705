"""What the top neurons do around events, token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from clampsweep import tables
from clampsweep.models.activations import traces as neuron_traces
from clampsweep.models.capture import neuron_values
from clampsweep.models.model import Model
from clampsweep.models.tokens import behind_letter
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.found_events import COUNTED, EVENTS
from clampsweep.studies.backtracking.places import whole_ids
from clampsweep.studies.backtracking.pools import EVENT
from clampsweep.studies.backtracking.position_kinds import PRED
from clampsweep.studies.backtracking.sampling import main
from clampsweep.studies.backtracking.spans import DRAWS, spans
from clampsweep.studies.backtracking.splits import TEST
from clampsweep.studies.backtracking.tables import AROUND, SPANS, STRIPS
from clampsweep.studies.backtracking.traces import TRACES

OFFSETS = range(-15, 6)  # tokens from the onset


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
    names = list(dict.fromkeys(held.loc[held["control_kind"] == EVENT, "trace_id"]))[:shown]
    shown_traces = traces[traces["trace_id"].isin(names)]
    return Followed(
        around(model, held, whole_ids(traces), tops),
        strips(model, shown_traces, _marked(seen.events, traces), tops[:shown]),
        spans(model, directions, neurons, top, DRAWS, seed),
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
    onsets = samples.groupby("trace_id")["onset"]
    own = {str(name): _near(some, len(ids[str(name)])) for name, some in onsets}
    names = list(own)
    read = [ids[name][: own[name][-1] + 1] for name in names]  # nothing behind is asked for
    values = neuron_values(model, read, list(own.values()), neurons)
    found = dict(zip(names, values, strict=True))
    rows = []
    for sample in samples.to_dict("records"):
        trace, onset = sample["trace_id"], int(sample["onset"])
        for at in _near([onset], len(ids[trace])):
            for neuron in neurons:
                rows.append(
                    {
                        **{
                            name: sample[name]
                            for name in ("sample_id", "match_id", "problem_id", "y")
                        },
                        "offset": at - onset,
                        "layer": neuron.layer,
                        "neuron": neuron.index,
                        "value": found[trace][at, neuron],
                    }
                )
    return pd.DataFrame(rows, columns=list(AROUND.columns))


def _near(onsets: Iterable[int], length: int) -> list[int]:
    """Positions around onsets, rising, of a trace of some length."""
    near = {int(onset) + offset for onset in onsets for offset in OFFSETS}
    return sorted(at for at in near if 0 <= at < length)


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
