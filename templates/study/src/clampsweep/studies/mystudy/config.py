"""An entry of the config's section `mystudy`, checked."""

from __future__ import annotations

from dataclasses import dataclass

from clampsweep.config.contract import Context
from clampsweep.config.targets import parse_target_names
from clampsweep.models.spec import ModelSpec
from clampsweep.texts.request import Decoding, PromptsetSpec


@dataclass(frozen=True)
class LengthEntry:
    """Which model continues which prompts, and what its neurons are set to."""

    name: str
    model: ModelSpec
    promptset: PromptsetSpec
    neurons: tuple[str, ...]
    values: tuple[float, ...]
    decoding: Decoding

    @property
    def title(self) -> str:
        """What the entry is, in a line, for figures and reports."""
        return f"{self.model.name}, {self.promptset.name}, {self.decoding.max_new_tokens} tokens"


def parse(context: Context) -> LengthEntry:
    """An entry that fits the schema; checked here is what a schema cannot know.

    Raises:
        UserError: The first fault, one line.
    """
    checker, key, entry = context.checker, context.key, context.entry
    model = checker.choose((*key, "model"), entry["model"], context.models, "model")
    sets, values = context.promptsets, enumerate(entry["values"])
    return LengthEntry(
        name=context.name,
        model=model,
        promptset=checker.choose((*key, "promptset"), entry["promptset"], sets, "promptset"),
        neurons=parse_target_names(checker, (*key, "neurons"), entry["neurons"], model),
        values=tuple(checker.finite((*key, "values", at), value) for at, value in values),
        decoding=Decoding(**entry["decoding"]),
    )
