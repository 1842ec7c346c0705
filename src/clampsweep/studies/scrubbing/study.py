"""Causal scrubbing as an entry of the registry: the shards that it wants, and what it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from clampsweep.config.contract import Study, figure_files
from clampsweep.shards.shard import Item
from clampsweep.shards.work import Work
from clampsweep.studies.scrubbing.config import parse
from clampsweep.studies.scrubbing.entry import ScrubbingEntry
from clampsweep.studies.scrubbing.figures.index import FIGURES
from clampsweep.studies.scrubbing.items import (
    cell_items,
    losses_items,
    pair_items,
    total_items,
)
from clampsweep.studies.scrubbing.tables import ATTENTION, CELLS, LOSSES, SAA, TOTALS
from clampsweep.tables import Schema

_ITEMS = 250  # blocks under an experiment that make a shard: two minutes of one core

KEPT = {
    "summary.md": "the answers, in words and numbers",
    "summary.html": "the same as a page",
    "tokens.html": "a page to hover over: attribution and attention of each token",
    "verdicts.parquet": "the answers as a table: claim, estimate, interval, p, q, verdict",
    "ledger.parquet": "the controls of each answer: how many ran, or why not",
    "table.parquet": "mean, variance, count and loss recovered, by experiment and category",
    "table.txt": "the same in the layout of the original's notebook",
    "curves.parquet": "CPR and CMD: faithfulness over the size of a hypothesis",
    "two_heads.parquet": "two induction heads beside each other: harm of scrubbing each",
    "cell_harm.parquet": "harm of scrubbing one input of one head at a time",
    "heads.parquet": "scores of each head, and the roles that were resolved",
    "hypotheses.json": "what each hypothesis keeps, as heads by number",
    "saa.parquet": "attribution of each token of some examples",
    "attention.parquet": "where induction heads look, under two experiments, and the difference",
    "totals.parquet": "attention that each token gets from all that can see it",
}

COMPARED = {"reference.parquet": "published figures beside the entry's: which hold, which differ"}


def works(entry: ScrubbingEntry) -> Sequence[Work]:
    """Losses, cells, attributions, attention and key totals, in shards."""
    listed, number = entry.listed, entry.examples.number
    attribution, attention = entry.attribution, entry.attention
    seen = dict.fromkeys(name for pair in attention.pairs for name in pair)
    draws = {"n_draws": attention.draws}
    items: dict[str, tuple[Sequence[Item], Schema, int]] = {
        "losses": (losses_items(listed, number), LOSSES, _ITEMS),
        "cells": (cell_items(entry.cells), CELLS, 4),
        "saa": (
            pair_items(listed, attribution.pairs, attribution.examples, n_draws=attribution.draws),
            SAA,
            100,
        ),
        "attention": (
            pair_items(
                listed, attention.pairs, attention.examples, **draws, n_tokens=attention.tokens
            ),
            ATTENTION,
            100,
        ),
        "totals": (
            total_items(listed, list(seen), attribution.examples, **draws),
            TOTALS,
            100,
        ),
    }
    parameters = {
        "data": entry.data,
        "seed": entry.seed,
        "thresholds": asdict(entry.thresholds),
    }
    return [
        Work(
            name=f"{entry.name}/{name}",
            rule=f"scrubbing_{name}",
            model=entry.model,
            items=tuple(some),
            schema=schema,
            size=size,
            parameters=parameters,
        )
        for name, (some, schema, size) in items.items()
    ]


def files(entry: ScrubbingEntry) -> Mapping[str, str]:
    """Every file that is kept of an entry, relative to `results/`, and what it is."""
    kept = {**KEPT, **(COMPARED if entry.reference else {})}
    drawn = {name: what for name, what in FIGURES.items() if name != "training" or entry.curve}
    return {f"{entry.name}/{file}": what for file, what in (kept | figure_files(drawn)).items()}


def inputs(entry: ScrubbingEntry) -> Sequence[str]:
    """The local files that it reads."""
    given = (entry.hypotheses, entry.reference, entry.examples.file, entry.candidates)
    return [file for file in given if isinstance(file, str)]


STUDY = Study(name="scrubbing", parse=parse, files=files, works=works, inputs=inputs)
