"""What texts are asked for: the request that a study hands to the planner, and its parts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from clampsweep.models.spec import ModelSpec


@dataclass(frozen=True)
class PromptsetSpec:
    """One entry of `promptsets`: a local file, or an address with its digest."""

    where: str
    name: str
    format: str
    path: str | None = None
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen: greedy, or sampling at a temperature with top-k and top-p cuts."""

    method: str
    max_new_tokens: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The parameters that matter for the method, as they stand in a combination's identity."""
        greedy = {"method": self.method, "max_new_tokens": self.max_new_tokens}
        if self.method == "greedy":
            return greedy
        top_p = None if self.top_p is None else float(self.top_p)
        cuts = {"top_k": self.top_k, "top_p": top_p}
        return {**greedy, "temperature": float(self.temperature), **cuts}


@dataclass(frozen=True)
class Selection:
    """Neurons chosen by baseline statistics: the `top` by a criterion, in one layer or all."""

    select: str
    layer: int | None
    top: int


@dataclass(frozen=True)
class Named:
    """What a checkpoint of a study names, and nobody knows before it has run.

    Attributes:
        checkpoint: The checkpoint's rule. Its one output is called `selected` where it names
            targets (`texts.selection.write_selected`), `listed` where it lists items of sharded
            work (`shards.shard.write_items`).
        entry: The entry that it is run for.
    """

    checkpoint: str
    entry: str


@dataclass(frozen=True)
class TextRequest:
    """Texts that a study wants: every prompt x target x value x seed, and the baselines.

    Attributes:
        name: Folder of `results/` that its tables go to, such as `bcr` or `bcr/controls`.
        model: The model.
        promptset: Where the prompts come from.
        targets: Names of neurons, or where they will be named; none for baselines alone.
        operation: What is done to them; `none` for baselines alone.
        values: What the operation uses, None where it takes no value.
        scope: Positions that are changed.
        decoding: How tokens are chosen.
        seeds: Of sampling or resampling, None where nothing is drawn.
        drawn: Number of prompts drawn from the promptset, and the seed; None for all.
    """

    name: str
    model: ModelSpec
    promptset: PromptsetSpec
    targets: tuple[str, ...] | Selection | Named
    operation: str
    values: tuple[float | None, ...]
    scope: str
    decoding: Decoding
    seeds: tuple[int | None, ...]
    drawn: tuple[int, int] | None = None

    @property
    def title(self) -> str:
        """What is asked for, in a line, for figures and reports."""
        how = f"{self.decoding.method}, {self.decoding.max_new_tokens} tokens"
        return f"{self.model.name}, {self._targets_in_words}, {self.operation}, {how}"

    @property
    def _targets_in_words(self) -> str:
        if isinstance(self.targets, Named):
            return f"neurons of {self.name}"
        if isinstance(self.targets, Selection):
            return f"{self.targets.top} selected neurons ({self.targets.select})"
        if len(self.targets) > 3:
            return f"{len(self.targets)} neurons"
        return ", ".join(self.targets)

    @property
    def needs_statistics(self) -> bool:
        """Whether the neurons or the values follow from the baseline's neuron statistics."""
        return not isinstance(self.targets, tuple) or self.operation == "mean"

    def selection(self) -> dict[str, Any] | list[str]:
        """The targets as a rule's parameter: how to select them, or their names."""
        return list(self.targets) if isinstance(self.targets, tuple) else asdict(self.targets)

    def baselines(self, name: str, decoding: Decoding, seeds: tuple[int, ...]) -> TextRequest:
        """A request for the baselines alone, decoded in another way.

        Args:
            name: The new request's.
            decoding: How tokens are chosen.
            seeds: Of sampling.
        """
        return replace(
            self,
            name=name,
            targets=(),
            operation="none",
            values=(),
            decoding=decoding,
            seeds=seeds,
        )
