"""An entry of the config's section `scrubbing`, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from clampsweep.config.checker import Checker, Key
from clampsweep.config.contract import Context
from clampsweep.models.spec import ModelSpec
from clampsweep.provenance import file_digest, json_digest
from clampsweep.studies.scrubbing.hypotheses import Listed
from clampsweep.studies.scrubbing.items import contents
from clampsweep.studies.scrubbing.reading import read


class Examples(NamedTuple):
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


class Pairs(NamedTuple):
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
class ScrubbingEntry:
    """Which model is scrubbed by which hypotheses on which examples."""

    name: str
    where: str
    model: ModelSpec
    hypotheses: str
    listed: Listed
    examples: Examples
    candidates: float | str
    thresholds: Mapping[str, float]
    seed: int
    cells: int
    attribution: Pairs
    attention: Pairs
    two_heads: tuple[str, str]

    @property
    def title(self) -> str:
        """What the entry is, in a line, for figures and reports."""
        return f"{self.model.name}, {self.examples.number:,} examples of {self.examples.length}"

    @property
    def data(self) -> str:
        """Digest of all that decides examples, lists of tokens and scores of heads."""
        files = [
            file_digest(Path(file)) if isinstance(file, str) else file
            for file in (self.examples.file, self.candidates)
        ]
        content = [self.model.identity, list(self.examples), *files, dict(self.thresholds)]
        return json_digest(content)[:16]


def parse(context: Context) -> ScrubbingEntry:
    """An entry that fits the schema; checked here is what a schema cannot know.

    Raises:
        UserError: The first fault, one line.
    """
    checker, key = context.checker, context.key
    entry = {**checker.defaults("scrubbing/entry"), **context.entry}
    model = checker.choose((*key, "model"), entry["model"], context.models, "model")
    if model.n_layers != 2 or model.d_mlp:
        raise checker.fault(
            (*key, "model"),
            f"{model.name} has {model.n_layers} layers and d_mlp {model.d_mlp}; scrubbing is of "
            "models with two layers and no MLP (n_layers: 2, d_mlp: 0)",
        )
    listed = read(entry["hypotheses"])
    examples = _examples(checker, (*key, "examples"), entry["examples"], model, context.models)
    parts = {
        part: _pairs(checker, (*key, part), entry[part], listed, examples)
        for part in ("attribution", "attention")
    }
    return ScrubbingEntry(
        name=context.name,
        where=checker.where(key),
        model=model,
        hypotheses=entry["hypotheses"],
        listed=listed,
        examples=examples,
        candidates=_candidates(checker, (*key, "candidates"), entry["candidates"]),
        thresholds=checker.defaults("scrubbing/thresholds") | entry["thresholds"],
        seed=entry["seed"],
        cells=min(entry["cells"], examples.number),
        two_heads=_names(checker, (*key, "two_heads"), entry["two_heads"], listed),
        **parts,
    )


def _examples(
    checker: Checker,
    key: Key,
    given: Mapping[str, Any],
    model: ModelSpec,
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
    name = entry.get("corpus", model.name)
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
