"""An entry of the section `scrubbing`, as `config.parse` makes it, and what follows from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clampsweep.models.spec import ModelSpec
from clampsweep.provenance import file_digest, json_digest
from clampsweep.shards.work import OwnModel
from clampsweep.studies.scrubbing.hypotheses import Listed
from clampsweep.studies.scrubbing.published_files import vocabulary_file


@dataclass(frozen=True)
class Examples:
    """Which examples are scrubbed.

    Attributes:
        corpus: Digest of the corpus that they are cut from, 16 hex digits; None for a file.
        file: Table of examples; None for a corpus.
        number: How many.
        length: Predictions of each.
    """

    corpus: str | None
    file: str | None
    number: int
    length: int


@dataclass(frozen=True)
class Pairs:
    """What is looked at token by token.

    Attributes:
        examples: How many of the first examples.
        draws: How many draws of each.
        pairs: Names of two experiments each.
        tokens: First tokens of an example that are looked at; of attention alone.
    """

    examples: int
    draws: int
    pairs: tuple[tuple[str, str], ...]
    tokens: int = 0


@dataclass(frozen=True)
class Thresholds:
    """Score from which a head has a role, 0..1."""

    prev: float
    self: float
    first: float
    induction: float


@dataclass(frozen=True)
class ScrubbingEntry:
    """Which model is scrubbed by which hypotheses on which examples."""

    name: str
    where: str
    model: ModelSpec | OwnModel
    published: str | None
    hypotheses: str
    listed: Listed
    reference: str | None
    examples: Examples
    candidates: float | str
    thresholds: Thresholds
    seed: int
    cells: int
    attribution: Pairs
    attention: Pairs
    two_heads: tuple[str, str]

    @property
    def title(self) -> str:
        """What the entry is, in a line, for figures and reports."""
        model = (
            self.model.name if isinstance(self.model, ModelSpec) else Path(str(self.published)).name
        )
        return f"{model}, {self.examples.number:,} examples of {self.examples.length} tokens"

    @property
    def about(self) -> str:
        """What the page of tokens says of itself."""
        pairs = "; ".join(f"{second} against {first}" for first, second in self.attribution.pairs)
        return (
            f"Attribution of the first {self.attribution.examples}: {pairs}, mean of "
            f"{self.attribution.draws} draws. Attention: mean of {self.attention.draws} draws."
        )

    @property
    def curve(self) -> str | None:
        """Table of the model's training, beside its files; None if it has none."""
        if not isinstance(self.model, ModelSpec):
            return None
        path = f"{self.model.origin}/curve.parquet"
        made = self.model.by == "scrubbing"
        return path if made or (self.model.source == "path" and Path(path).is_file()) else None

    @property
    def loading(self) -> dict[str, Any] | None:
        """How the model is loaded, as a rule's parameter; None for a published one."""
        return self.model.loading() if isinstance(self.model, ModelSpec) else None

    @property
    def wanted(self) -> dict[str, Any]:
        """What is wanted of examples, candidates and heads, as a rule's parameter."""
        return {
            "cut": self.examples.file is None,
            "number": self.examples.number,
            "length": self.examples.length,
            "candidates": self.candidates,
            "thresholds": asdict(self.thresholds),
        }

    @property
    def data(self) -> str:
        """Digest of all that decides examples, lists of tokens and scores of heads."""
        words = vocabulary_file(Path(self.published)) if self.published else None
        content = [
            self.model.identity,
            {**asdict(self.examples), "file": _content(self.examples.file)},
            _content(self.candidates),
            asdict(self.thresholds),
            _content(words),
        ]
        return json_digest(content)[:16]


def _content(given: Path | str | float | None) -> str | float | None:
    """Digest of a file that is given; of what is none, that itself."""
    return file_digest(given) if isinstance(given, Path | str) else given
