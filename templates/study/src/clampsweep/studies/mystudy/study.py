"""The study as an entry of the registry: the texts that it wants, and what it keeps."""

from __future__ import annotations

from clampsweep.config.contract import Study
from clampsweep.studies.mystudy.config import LengthEntry, parse
from clampsweep.texts.request import TextRequest

KEPT = {
    "summary.md": "the answer, in words and numbers",
    "summary.html": "the same as a page",
    "verdicts.parquet": "the answer as a table: claim, estimate, interval, p, q, verdict",
    "ledger.parquet": "the controls of each answer: how many ran, or why not",
    "lengths.parquet": "length of clamped texts against that of baselines, by clamp",
    "generations.parquet": "the texts and token ids",
    "prompts.parquet": "the prompts",
    "figures/length.svg": "how much longer or shorter each clamp makes the texts",
    "figures/length.png": "the same",
}


def requests(entry: LengthEntry) -> dict[str, TextRequest]:
    """Every prompt with every clamp; the baselines come with them."""
    wanted = TextRequest(
        name=entry.name,
        model=entry.model,
        promptset=entry.promptset,
        targets=entry.neurons,
        operation="set",
        values=entry.values,
        scope="all",
        decoding=entry.decoding,
        seeds=(None,),
    )
    return {entry.name: wanted}


def files(entry: LengthEntry) -> dict[str, str]:
    """Every file that is kept of an entry, relative to `results/`, and what it is."""
    return {f"{entry.name}/{file}": what for file, what in KEPT.items()}


STUDY = Study(name="mystudy", parse=parse, files=files, requests=requests)
