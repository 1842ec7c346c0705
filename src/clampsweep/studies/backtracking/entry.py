"""An entry of the section `backtracking`, as checked; no torch, no table is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from clampsweep.models.spec import ModelSpec
from clampsweep.texts.request import (
    Decoding,
    Named,
    PromptFormat,
    PromptsetSpec,
    TextRequest,
)

GRADES = ("off_by_ten", "gross", "verbal")  # of written errors, from hard to easy to see
WRITTEN, GIVEN = "written", "given"  # sources of traces beside the model's own chains


@dataclass(frozen=True)
class Chain:
    """The model's own chains of thought on a promptset of problems.

    Attributes:
        name: Its name, which is that of its contrast too.
        promptset: The problems.
        prompt_format: `raw` or `chat`.
        system_prompt: Of chats, the system message; None for none.
        decoding: How tokens are chosen.
        seeds: Of sampling; a chain of each problem and seed.
        problems: How many are drawn; None for all.
    """

    name: str
    promptset: PromptsetSpec
    prompt_format: str
    system_prompt: str | None
    decoding: Decoding
    seeds: tuple[int | None, ...]
    problems: int | None


@dataclass(frozen=True)
class WrittenSource:
    """Traces that are made from templates, with errors of several grades.

    Attributes:
        file: The templates.
        per_split: Problems of each split.
        prompt_format: `raw` or `chat`: how their questions reach the model.
        system_prompt: Of chats, the system message; None for none.
    """

    file: str
    per_split: int
    prompt_format: str
    system_prompt: str | None


@dataclass(frozen=True)
class Ranking:
    """How neurons are ranked and chosen."""

    controls: int
    permutations: int
    minimum_events: int
    minimum_problems: int
    top: int


@dataclass(frozen=True)
class Causal:
    """What is tried on held-out events."""

    sizes: tuple[int, ...]
    random_sets: int
    samples: int


@dataclass(frozen=True)
class Pairs:
    """Generation before and after the top neurons are held at zero.

    Attributes:
        chain: Whose problems are gone through again.
        neurons: The contrast whose top neurons are held.
        problems: How many problems are drawn.
        seeds: Of sampling, the same before and after.
        random_sets: Matched sets that are held too.
    """

    chain: str
    neurons: str
    problems: int
    seeds: tuple[int, ...]
    random_sets: int


@dataclass(frozen=True)
class BacktrackingEntry:
    """Whose traces are looked at, and what is tried on them."""

    name: str
    model: ModelSpec
    rules: str
    sentences: str
    chains: tuple[Chain, ...]
    written: WrittenSource | None
    given: str | None
    ranking: Ranking
    causal: Causal
    pairs: Pairs | None
    seed: int

    @property
    def title(self) -> str:
        """What the entry is, in a line, for figures and reports."""
        return f"{self.model.name}, {', '.join(self.contrasts)}"

    @property
    def contrasts(self) -> tuple[str, ...]:
        """What events are held against controls: each chain, given traces, each written grade."""
        own = tuple(chain.name for chain in self.chains)
        given = (GIVEN,) if self.given else ()
        return (*own, *given, *(GRADES if self.written else ()))

    def chain(self, name: str) -> Chain:
        """The chain of a name."""
        return next(chain for chain in self.chains if chain.name == name)

    def request(self, chain: Chain) -> TextRequest:
        """The texts of a chain: baselines alone."""
        return TextRequest(
            name=f"{self.name}/{chain.name}",
            model=self.model,
            promptset=chain.promptset,
            targets=(),
            operation="none",
            values=(),
            scope="all",
            decoding=chain.decoding,
            seeds=chain.seeds,
            drawn=None if chain.problems is None else (chain.problems, self.seed),
            prompt_format=PromptFormat(chain.prompt_format, chain.system_prompt),
        )

    @property
    def ablated(self) -> TextRequest:
        """The texts of a chain once more, with sets of neurons held at zero; with `pairs` only.

        From the last token of the prompt on, so that the first token of the output is changed too.
        """
        pairs = self.pairs
        if pairs is None:
            raise ValueError(f"{self.name}: has no pairs")
        return replace(
            self.request(self.chain(pairs.chain)),
            name=f"{self.name}/ablated",
            targets=Named("backtracking_choose", self.name, 1 + pairs.random_sets),
            operation="zero",
            values=(None,),
            scope="last_cached",
            seeds=pairs.seeds,
            drawn=(pairs.problems, self.seed),
        )

    def formats(self) -> Mapping[str, Any]:
        """How prompts of each source reach the model, as a rule's parameter."""
        sources: dict[str, Chain | WrittenSource] = {chain.name: chain for chain in self.chains}
        sources |= {WRITTEN: self.written} if self.written else {}
        return {
            name: PromptFormat(one.prompt_format, one.system_prompt).as_json()
            for name, one in sources.items()
        }
