"""Backtracking neurons as an entry of the registry: what it wants made, and what it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clampsweep.config.contract import Study, figure_files
from clampsweep.shards.work import Work
from clampsweep.studies.backtracking.config import parse
from clampsweep.studies.backtracking.entry import BacktrackingEntry
from clampsweep.studies.backtracking.figures.index import FIGURES
from clampsweep.studies.backtracking.tables import ACTIVATIONS
from clampsweep.texts.request import Named, TextRequest

_TRACES = 128  # that make a shard: a minute or so of one core

KEPT = {
    "summary.md": "the answers, in words and numbers",
    "summary.html": "the same as a page",
    "verdicts.parquet": "the answers as a table: claim, estimate, interval, p, q, verdict",
    "ledger.parquet": "the controls of each answer: how many ran, or why not",
    "traces.parquet": "every trace: prompt, output, tokens, answer, whether it is right",
    "events.parquet": "every backtracking event, where it is and which rule sees it",
    "rates.parquet": "how many are right, run out of tokens, go back; by level and type",
    "detector.parquet": "how well the rules see what people labelled",
    "samples.parquet": "events and their controls, by contrast and split",
    "places.json": "the places where activations are captured",
    "exits.parquet": "answers where thinking is ended before an event",
    "strips.html": "traces token by token, coloured by what a neuron does",
}
WRITTEN = {
    "written.parquet": "our traces, with errors of several grades",
    "steps.parquet": "their steps: where they stand, and whether they are right",
}
PAIRED = {
    "paired_texts.parquet": "texts before and after neurons are held at zero",
    "paired.parquet": "what that changes: events, right answers, length, loops",
    "texts.html": "these texts side by side",
    "ablated/selected.json": "the sets of neurons that are held at zero",
}
OF_CONTRAST = {
    "neurons.parquet": "every neuron: how far it tells events from controls",
    "heldout.parquet": "what neurons, directions, probes and tokens tell on held-out events",
    "directions.parquet": "the residual direction of each position kind",
    "sets.parquet": "sets of neurons that are changed",
    "effects.parquet": "what changing them does to the onset, against random sets",
    "logit.parquet": "what the onset's own log-probability tells",
    "around.parquet": "the top neurons token by token around onsets",
    "strips.parquet": "the top neurons at every token of some traces",
    "spans.parquet": "how much of the residual direction the top neurons write",
}


def requests(entry: BacktrackingEntry) -> Mapping[str, TextRequest]:
    """The chains, and what is generated with neurons held at zero."""
    wanted = {f"{entry.name}/{chain.name}": entry.request(chain) for chain in entry.chains}
    if entry.pairs:
        wanted[f"{entry.name}/ablated"] = entry.ablated
    return wanted


def works(entry: BacktrackingEntry) -> Sequence[Work]:
    """Activations at the places of the samples."""
    wanted = Work(
        name=f"{entry.name}/activations",
        rule="backtracking_activations",
        model=entry.model,
        items=Named("backtracking_places", entry.name),
        schema=ACTIVATIONS,
        size=_TRACES,
    )
    return [wanted]


def files(entry: BacktrackingEntry) -> Mapping[str, str]:
    """Every file that is kept of an entry, relative to `results/`, and what it is."""
    drawn = {name: what for name, what in FIGURES.items() if name != "pairs" or entry.pairs}
    kept = KEPT | (WRITTEN if entry.written else {}) | (PAIRED if entry.pairs else {})
    kept |= {
        f"{contrast}/{file}": f"{contrast}: {what}"
        for contrast in entry.contrasts
        for file, what in OF_CONTRAST.items()
    }
    return {f"{entry.name}/{file}": what for file, what in (kept | figure_files(drawn)).items()}


def inputs(entry: BacktrackingEntry) -> Sequence[str]:
    """The local files that it reads."""
    written = entry.written.file if entry.written else None
    return [
        file for file in (entry.rules, entry.sentences, entry.given, written) if file is not None
    ]


STUDY = Study(
    name="backtracking", parse=parse, files=files, requests=requests, works=works, inputs=inputs
)
