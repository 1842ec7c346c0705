"""An entry of the config's section `scrubbing`, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.contract import Context
from clampsweep.models.spec import ModelSpec
from clampsweep.provenance import file_digest, json_digest
from clampsweep.shards.work import OwnModel
from clampsweep.studies.scrubbing.hypotheses import Listed
from clampsweep.studies.scrubbing.items import contents
from clampsweep.studies.scrubbing.published_files import TOKENS, identity
from clampsweep.studies.scrubbing.reading import check_fixed, read


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
            f"{self.title}. Attribution of the first {self.attribution.examples}: {pairs}, mean of "
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
        files = [
            file_digest(Path(file)) if isinstance(file, str) else file
            for file in (self.examples.file, self.candidates)
        ]
        content = [self.model.identity, asdict(self.examples), *files, asdict(self.thresholds)]
        return json_digest(content)[:16]


def parse(context: Context) -> ScrubbingEntry:
    """An entry that fits the schema; checked here is what a schema cannot know.

    Raises:
        UserError: The first fault, one line.
    """
    checker, key = context.checker, context.key
    entry = {**checker.defaults("scrubbing/entry"), **context.entry}
    model, published = _model(checker, key, entry, context.models), entry.get("published")
    listed = read(entry["hypotheses"])
    examples = _examples(checker, (*key, "examples"), entry["examples"], model, context.models)
    check_fixed(listed, examples.number)
    parts = {
        part: _pairs(checker, (*key, part), entry[part], listed, examples)
        for part in ("attribution", "attention")
    }
    return ScrubbingEntry(
        name=context.name,
        where=f"scrubbing.{context.name}",
        model=model,
        published=published,
        hypotheses=entry["hypotheses"],
        listed=listed,
        examples=examples,
        candidates=_candidates(checker, (*key, "candidates"), entry["candidates"]),
        thresholds=Thresholds(**(checker.defaults("scrubbing/thresholds") | entry["thresholds"])),
        seed=entry["seed"],
        cells=min(entry["cells"], examples.number),
        two_heads=_names(checker, (*key, "two_heads"), entry["two_heads"], listed),
        **parts,
    )


def _model(
    checker: Checker, key: Key, entry: Mapping[str, Any], models: Mapping[str, ModelSpec]
) -> ModelSpec | OwnModel:
    """A configured model, or a published one that the study reads itself."""
    if ("model" in entry) == ("published" in entry):
        raise checker.fault(
            key, "give model: a name from models, or published: a folder; one of them"
        )
    if "published" in entry:
        folder = Path(entry["published"])
        if not folder.is_dir():
            raise checker.fault(
                (*key, "published"),
                f"no folder {folder}; download the model's repository into it, such as "
                "ArthurConmy/redwood_attn_2l (docs/scrubbing.md)",
            )
        return OwnModel(identity(folder))
    model: ModelSpec = checker.choose((*key, "model"), entry["model"], models, "model")
    if model.n_layers != 2 or model.d_mlp:
        raise checker.fault(
            (*key, "model"),
            f"{model.name} has {model.n_layers} layers and d_mlp {model.d_mlp}; scrubbing is of "
            "models with two layers and no MLP (n_layers: 2, d_mlp: 0)",
        )
    return model


def _examples(
    checker: Checker,
    key: Key,
    given: Mapping[str, Any],
    model: ModelSpec | OwnModel,
    models: Mapping[str, ModelSpec],
) -> Examples:
    """Where examples come from: a corpus by the model that was trained on it, or a file."""
    entry = {**checker.defaults("scrubbing/examples"), **given}
    if "file" in entry:
        if "corpus" in entry:
            raise checker.fault((*key, "file"), "there is corpus: too; leave one of them")
        if not Path(entry["file"]).is_file():
            raise checker.fault((*key, "file"), f"no file {entry['file']}; check the path")
        return Examples(None, entry["file"], entry["number"], entry["length"])
    if isinstance(model, OwnModel) and "corpus" not in entry:
        raise checker.fault(
            key, f"lacks examples.file; name the published examples, such as its {TOKENS}"
        )
    name = entry.get("corpus", getattr(model, "name", ""))
    made = checker.choose((*key, "corpus"), name, models, "model")
    if made.by != "scrubbing" or not made.recipe:
        raise checker.fault(
            (*key, "corpus") if "corpus" in entry else key,
            f"{name} is not made by this study, so its corpus is not known; name a model with "
            "source: made and by: scrubbing, or give file: a table of examples",
        )
    corpus = made.recipe["corpus"]["sha256"][:16]
    return Examples(corpus, None, entry["number"], entry["length"])


def _pairs(
    checker: Checker, key: Key, given: Mapping[str, Any], listed: Listed, examples: Examples
) -> Pairs:
    entry = {**checker.defaults(f"scrubbing/{key[-1]}"), **given}
    pairs = tuple(
        _names(checker, (*key, "pairs", at), pair, listed) for at, pair in enumerate(entry["pairs"])
    )
    number = min(entry["examples"], examples.number)
    return Pairs(number, entry["draws"], pairs, entry.get("tokens", 0))


def _names(checker: Checker, key: Key, names: Sequence[str], listed: Listed) -> tuple[str, str]:
    """Two names of experiments, checked."""
    known = contents(listed)
    for at, name in enumerate(names):
        checker.choose((*key, at), name, known, "experiment")
    first, second = names
    return first, second


def _candidates(checker: Checker, key: Key, given: float | str) -> float | str:
    if isinstance(given, str) and not Path(given).is_file():
        raise checker.fault(key, f"no file {given}; give a share such as 0.2, or check the path")
    return given
