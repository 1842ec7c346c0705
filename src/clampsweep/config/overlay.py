"""Config files laid over each other; and what is run where the user's own say nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from snakemake.utils import update_config

from clampsweep.config.contract import Study

DEFAULT = "config/config.yaml"
ARGUMENTS = "--config"  # in the place of a file's name: what the command line gives


class Overlay(NamedTuple):
    """Config files laid over each other.

    Attributes:
        merged: What they come to.
        note: What is to be said of it to the user, one line; None for nothing.
    """

    merged: dict[str, Any]
    note: str | None


def lay_over(files: Mapping[str, dict[str, Any]], studies: Sequence[Study]) -> Overlay:
    """Config files laid over each other, key by key, as Snakemake does it.

    If only the default file has `run`, and the others define entries, these are run: a file that
    somebody wrote a sweep into is there for this sweep.

    Args:
        files: Each file's content by its name, in the order of laying over.
        studies: The studies that there are.
    """
    merged: dict[str, Any] = {}
    for content in files.values():
        update_config(merged, content)
    own = {name: content for name, content in files.items() if name != DEFAULT}
    if any("run" in content for content in own.values()):
        return Overlay(merged, None)
    sections = ["sweeps", *(study.name for study in studies if not study.sweep_keys)]
    entries = {
        name: [entry for part in sections for entry in _keys(content, part)]
        for name, content in own.items()
        if name != ARGUMENTS
    }
    merged_entries = list(dict.fromkeys(entry for found in entries.values() for entry in found))
    if not merged_entries:
        return Overlay(merged, None)
    where = [name for name, found in entries.items() if found]
    has = "has no run:, so its" if len(where) == 1 else "have no run:, so their"
    note = f"{' and '.join(where)} {has} own entries are made: {', '.join(merged_entries)}"
    return Overlay({**merged, "run": merged_entries}, note)


def _keys(content: Mapping[str, Any], section: str) -> list[str]:
    """Names of the entries of a section; none where it is no section, which is said elsewhere."""
    entries = content.get(section)
    return list(map(str, entries)) if isinstance(entries, dict) else []
