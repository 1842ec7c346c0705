"""What texts are asked for: the request that a study hands to the planner, and its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from clampsweep.errors import finite, shown, whole
from clampsweep.models.spec import ModelSpec
from clampsweep.names import short_name
from clampsweep.texts.directions import Steering


@dataclass(frozen=True)
class PromptsetSpec:
    """One entry of `promptsets`: a local file, or an address with its digest.

    Attributes:
        where: Where it stands in the config.
        name: Its name.
        format: Of the file.
        path: The local file.
        url: Its address.
        sha256: Its digest.
        template: What a prompt's text is made of, columns in braces; None for column `text`.
        id: The column that names the prompts; None for `prompt_id`.
    """

    where: str
    name: str
    format: str
    path: str | None = None
    url: str | None = None
    sha256: str | None = None
    template: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class PromptFormat:
    """How a prompt reaches the model.

    Attributes:
        kind: `raw`, as it stands, or `chat`, as a message in the tokenizer's own chat template.
        system: With `chat`, the system message before it; None for none.
    """

    kind: str = "raw"
    system: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What of it stands in a text's identity and in files, by config key: of raw, nothing."""
        if self.kind == "raw":
            return {}
        return {"prompt_format": self.kind, "system_prompt": self.system}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> PromptFormat:
        """The format that some content has by config key, among others."""
        return cls(content.get("prompt_format", "raw"), content.get("system_prompt"))


RAW = PromptFormat()

METHODS = ("greedy", "sample")


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen, and what ends a text.

    Attributes:
        method: `greedy`, or `sample` at a temperature with top-k and top-p cuts.
        max_new_tokens: Most tokens of a text.
        temperature: Of sampling.
        top_k: Of sampling, the number of tokens that are drawn from; None for all.
        top_p: Of sampling, the probability that these hold; None for all.
        stop_strings: A text ends where it has said one of them; in any order they are the same.

    Raises:
        TypeError: A field is of another kind.
        ValueError: A field has a value that is not allowed.
    """

    method: str
    max_new_tokens: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    stop_strings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check every field, and order the stop strings, which may come as a list."""
        if self.method not in METHODS:
            raise ValueError(f"method: got {self.method!r}; allowed: {', '.join(METHODS)}")
        found: dict[str, Any] = {"max_new_tokens": whole("max_new_tokens", self.max_new_tokens, 1)}
        if finite("temperature", self.temperature) <= 0:
            raise ValueError(
                f"temperature: got {self.temperature}; write a number above 0, or method 'greedy'"
            )
        if self.top_k is not None:
            found["top_k"] = whole("top_k", self.top_k, 1)
        if self.top_p is not None and not 0 < finite("top_p", self.top_p) <= 1:
            raise ValueError(f"top_p: got {self.top_p}; allowed: above 0, at most 1")
        found["stop_strings"] = _in_order(self.stop_strings)
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """The parameters that matter for the method, as they stand in a combination's identity."""
        said: dict[str, Any] = {"method": self.method, "max_new_tokens": self.max_new_tokens}
        if self.method != "greedy":
            top_p = None if self.top_p is None else float(self.top_p)
            said |= {"temperature": float(self.temperature), "top_k": self.top_k, "top_p": top_p}
        return said | ({"stop_strings": list(self.stop_strings)} if self.stop_strings else {})


def _in_order(stop_strings: Iterable[str]) -> tuple[str, ...]:
    """Stop strings in the order of their identity."""
    if isinstance(stop_strings, str) or not isinstance(stop_strings, Iterable):
        raise TypeError(f"stop_strings: got {shown(stop_strings)}; write a tuple, such as ('.',)")
    strings = tuple(stop_strings)
    for text in strings:
        if not isinstance(text, str) or not text:
            raise ValueError(f"stop_strings: got {shown(text)}; write texts of a character or more")
    return tuple(sorted(strings))


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
        most: Most targets that it can name, for the plan of a run; None if nobody knows.
        added: Most values that it can give a target beside the request's, likewise.
    """

    checkpoint: str
    entry: str
    most: int | None = None
    added: int = 0


@dataclass(frozen=True)
class TextRequest:
    """Texts that a study wants: every prompt x target x value x seed, and the baselines.

    Attributes:
        name: Folder of `results/` that its tables go to, such as `bcr` or `bcr/controls`.
        model: The model.
        promptset: Where the prompts come from.
        targets: Names of neurons or directions, or where they will be named; none for baselines
            alone.
        operation: What is done to them; `none` for baselines alone.
        values: What the operation uses, None where it takes no value.
        scope: Positions that are changed.
        decoding: How tokens are chosen.
        seeds: Of sampling or resampling, None where nothing is drawn.
        drawn: Number of prompts drawn from the promptset, and the seed; None for all.
        directions: For steer: those that targets name.
        prompt_format: How the prompts reach the model.
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
    directions: tuple[Steering, ...] = ()
    prompt_format: PromptFormat = RAW

    @property
    def title(self) -> str:
        """What is asked for, in a line, for figures and reports."""
        how = f"{self.decoding.method}, {self.decoding.max_new_tokens} tokens"
        if self.prompt_format.kind == "chat":
            system = "" if self.prompt_format.system is None else " with a system prompt"
            how = f"chat{system}, {how}"
        return f"{self.model.name}, {self._targets_in_words}, {self.operation}, {how}"

    @property
    def _targets_in_words(self) -> str:
        if isinstance(self.targets, Named):
            return f"neurons of {self.name}"
        if isinstance(self.targets, Selection):
            return f"{self.targets.top} selected neurons ({self.targets.select})"
        if len(self.targets) > 3:
            return f"{len(self.targets)} {'directions' if self.directions else 'neurons'}"
        return ", ".join(map(short_name, self.targets))

    @property
    def needs_statistics(self) -> bool:
        """Whether the targets or the values follow from the baseline's neuron statistics."""
        return not isinstance(self.targets, tuple) or self.operation == "mean"

    @property
    def most_targets(self) -> int | None:
        """How many targets there may be at most; None if nobody knows."""
        if isinstance(self.targets, Named):
            return self.targets.most
        return self.targets.top if isinstance(self.targets, Selection) else len(self.targets)

    def selection(self) -> dict[str, Any] | list[str]:
        """The targets as a rule's parameter: how to select them, or their names."""
        return list(self.targets) if isinstance(self.targets, tuple) else asdict(self.targets)

    def baselines(
        self, name: str, decoding: Decoding, seeds: tuple[int | None, ...]
    ) -> TextRequest:
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
            directions=(),
            decoding=decoding,
            seeds=seeds,
        )
