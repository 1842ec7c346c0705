"""Traces of all sources, read from their files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clampsweep import tables
from clampsweep.studies.backtracking.given import read_given
from clampsweep.studies.backtracking.traces import Raw, of_chain, of_written
from clampsweep.studies.backtracking.written import WRITTEN
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.promptset import PROMPTS


def raw_traces(
    chains: Mapping[str, tuple[Path | str, Path | str]],
    written: Path | str | None,
    given: Path | str | None,
) -> list[Raw]:
    """Traces of chains, then written ones, then given ones.

    Args:
        chains: Of each chain, its tables of generations and of prompts.
        written: Table of written traces.
        given: A user's file.

    Raises:
        UserError: A file is damaged.
    """
    found: list[Raw] = []
    for name, (generations, prompts) in chains.items():
        texts = tables.read(generations, GENERATIONS), tables.read(prompts, PROMPTS)
        found += of_chain(name, *texts)
    if written is not None:
        found += of_written(tables.read(written, WRITTEN))
    return [*found, *([] if given is None else read_given(given))]
