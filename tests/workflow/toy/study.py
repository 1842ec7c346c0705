"""A study for tests of `source: made`: it makes a model of attention alone, and wants its texts."""

from __future__ import annotations

from dataclasses import dataclass

from clampsweep.config.contract import Context, Study
from clampsweep.models.spec import ModelSpec
from clampsweep.texts.request import Decoding, PromptsetSpec, TextRequest


@dataclass(frozen=True)
class ToyEntry:
    """Which model continues which prompts."""

    name: str
    model: ModelSpec
    promptset: PromptsetSpec


def parse(context: Context) -> ToyEntry:
    """An entry that fits the schema."""
    choose, key, entry = context.checker.choose, context.key, context.entry
    return ToyEntry(
        name=context.name,
        model=choose((*key, "model"), entry["model"], context.models, "model"),
        promptset=choose((*key, "promptset"), entry["promptset"], context.promptsets, "promptset"),
    )


def requests(entry: ToyEntry) -> dict[str, TextRequest]:
    """The baselines alone."""
    wanted = TextRequest(
        name=entry.name,
        model=entry.model,
        promptset=entry.promptset,
        targets=(),
        operation="none",
        values=(),
        scope="all",
        decoding=Decoding("greedy", 6),
        seeds=(None,),
    )
    return {entry.name: wanted}


def files(entry: ToyEntry) -> dict[str, str]:
    """The texts are what is kept."""
    return {f"{entry.name}/generations.parquet": "the texts"}


STUDY = Study(name="toy", parse=parse, files=files, requests=requests)
