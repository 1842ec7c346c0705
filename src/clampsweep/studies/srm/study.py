"""Spotlight resonance mapping as an entry of the registry: its texts and what it keeps."""

from __future__ import annotations

from collections.abc import Mapping

from clampsweep.config.contract import Study, figure_files
from clampsweep.studies.srm.config import SrmEntry, parse
from clampsweep.texts.request import TextRequest

KEPT = {
    "srm/srm.md": "spotlight resonance: do groups of texts differ in the plane",
    "srm/groups.parquet": "each group's direction and length in the plane",
    "srm/curves.parquet": "mean projection and counts by angle",
    "srm/differences.parquet": "pairs of groups, with p and q",
    "srm/verdicts.parquet": "the answers as a table: claim, estimate, interval, q, verdict",
    "srm/ledger.parquet": "the controls of each answer: how many ran, or why not",
}
FIGURES = {
    "srm_polar": "each group's mean curve and counts, angle by angle",
    "srm_difference": "pairs of groups: the difference of their curves",
}


def requests(entry: SrmEntry) -> Mapping[str, TextRequest]:
    """The texts whose vectors are looked at."""
    return {entry.name: entry.texts}


def files(entry: SrmEntry) -> Mapping[str, str]:
    """Every file that is kept of an entry, relative to `results/`, and what it is."""
    return {f"{entry.name}/{file}": what for file, what in (KEPT | figure_files(FIGURES)).items()}


STUDY = Study(
    name="srm", parse=parse, files=files, requests=requests, sweep_keys=frozenset({"srm"})
)
