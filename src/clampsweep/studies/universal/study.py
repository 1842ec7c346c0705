"""Universal neurons as an entry of the registry: the shards that it wants, and what it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from clampsweep.config.contract import Study, figure_files
from clampsweep.models.moments_schema import MOMENTS
from clampsweep.shards.work import Work
from clampsweep.studies.universal.config import parse
from clampsweep.studies.universal.entry import UniversalEntry
from clampsweep.studies.universal.slices import slices_of
from clampsweep.texts.request import Named

BLOCKS_PER_SHARD = 20  # a minute or so of one core

KEPT = {
    "summary.md": "the answers, in words and numbers, beside the original's",
    "summary.html": "the same as a page",
    "verdicts.parquet": "the answers as a table: claim, estimate, interval, p, q, verdict",
    "ledger.parquet": "the controls of each answer: how many ran, or why not",
    "un_summary.json": "the answers in the layout of the original evaluation",
}


def works(entry: UniversalEntry) -> Sequence[Work]:
    """Moments of gate, up and post activations of every neuron, a block of documents an item."""
    wanted = Work(
        name=f"{entry.name}/moments",
        rule="universal_moments",
        model=entry.model,
        items=Named("universal_blocks", entry.name),
        schema=MOMENTS,
        size=BLOCKS_PER_SHARD,
    )
    return [wanted]


def files(entry: UniversalEntry) -> Mapping[str, str]:
    """Every file that is kept of an entry, relative to `results/`, and what it is."""
    kept = KEPT | {file: what for part in _parts(entry) for file, what in part.items()}
    return {f"{entry.name}/{file}": what for file, what in kept.items()}


def _parts(entry: UniversalEntry) -> Iterator[Mapping[str, str]]:
    """Files of each slice that the entry has, its figures too."""
    for name in slices_of(entry):
        part = import_module(f"clampsweep.studies.universal.files.{name}")
        yield part.KEPT
        yield figure_files(getattr(part, "FIGURES", {}))


def inputs(entry: UniversalEntry) -> Sequence[str]:
    """The local files that it reads."""
    return [entry.reference] if entry.reference else []


STUDY = Study(name="universal", parse=parse, files=files, works=works, inputs=inputs)
