"""Traces of all sources, read from their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clampsweep import tables
from clampsweep.studies.backtracking.entry import WRITTEN as SOURCE
from clampsweep.studies.backtracking.given import read_given
from clampsweep.studies.backtracking.traces import Raw, of_chain, of_written
from clampsweep.studies.backtracking.written import WRITTEN
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.promptset import PROMPTS
from clampsweep.texts.request import PromptFormat


def raw_traces(
    files: Mapping[str, Any], chains: Sequence[str], formats: Mapping[str, PromptFormat]
) -> list[Raw]:
    """Traces of chains, then written ones, then given ones.

    Args:
        files: `generations` and `prompts`, a file of each chain; `written` and `given` if there
            are any.
        chains: Names of the chains, in the files' order.
        formats: How prompts of each source reach the model.

    Raises:
        UserError: A file is damaged.
    """
    found: list[Raw] = []
    pairs = zip(files.get("generations", []), files.get("prompts", []), strict=True)
    for name, (generations, prompts) in zip(chains, pairs, strict=True):
        found += of_chain(
            name, tables.read(generations, GENERATIONS), tables.read(prompts, PROMPTS)
        )
    if written := files.get("written"):
        found += of_written(tables.read(written, WRITTEN), formats[SOURCE])
    return [*found, *(read_given(files["given"]) if files.get("given") else [])]
