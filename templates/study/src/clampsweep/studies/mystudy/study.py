"""The study as an entry of the registry: the texts and losses that it wants, and what it keeps."""

from __future__ import annotations

from clampsweep.config.contract import Study
from clampsweep.shards.work import Work
from clampsweep.studies.mystudy.config import LengthEntry, parse
from clampsweep.studies.mystudy.tables import LOSSES
from clampsweep.texts.request import TextRequest

PROMPTS_PER_SHARD = 4  # a killed job loses as many; a real study has hundreds

KEPT = {
    "summary.md": "the answer, in words and numbers",
    "summary.html": "the same as a page",
    "verdicts.parquet": "the answer as a table: claim, estimate, interval, p, q, verdict",
    "ledger.parquet": "the controls of each answer: how many ran, or why not",
    "lengths.parquet": "length of clamped texts against that of baselines, by clamp",
    "losses.parquet": "how well the model knows each prompt",
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


def works(entry: LengthEntry) -> list[Work]:
    """The loss of every prompt."""
    wanted = Work(
        name=f"{entry.name}/losses",
        rule="mystudy_losses",
        model=entry.model,
        items=entry.promptset,
        schema=LOSSES,
        size=PROMPTS_PER_SHARD,
    )
    return [wanted]


def files(entry: LengthEntry) -> dict[str, str]:
    """Every file that is kept of an entry, relative to `results/`, and what it is."""
    return {f"{entry.name}/{file}": what for file, what in KEPT.items()}


STUDY = Study(name="mystudy", parse=parse, files=files, requests=requests, works=works)
