"""Makes an entry of the config's section `scrubbing`, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.contract import Context
from clampsweep.errors import UserError
from clampsweep.models.spec import ModelSpec
from clampsweep.shards.work import OwnModel
from clampsweep.studies.scrubbing.entry import Examples, Pairs, ScrubbingEntry, Thresholds
from clampsweep.studies.scrubbing.hypotheses import Listed
from clampsweep.studies.scrubbing.items import contents
from clampsweep.studies.scrubbing.published_files import TOKENS, identity
from clampsweep.studies.scrubbing.reading import check_fixed, read


def parse(context: Context) -> ScrubbingEntry:
    """An entry that fits the schema; checked here is what a schema cannot know.

    Raises:
        UserError: The first fault, one line.
    """
    checker, key = context.checker, context.key
    entry = {**checker.defaults("scrubbing/entry"), **context.entry}
    model, published = _model(checker, key, entry, context.models), entry.get("published")
    listed = _listed(checker, (*key, "hypotheses"), entry["hypotheses"])
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
        reference=_reference(checker, (*key, "reference"), entry.get("reference")),
        examples=examples,
        candidates=_candidates(checker, (*key, "candidates"), entry["candidates"]),
        thresholds=_thresholds(checker, (*key, "thresholds"), entry["thresholds"]),
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
        try:
            return OwnModel(identity(folder))
        except UserError as error:
            raise checker.fault((*key, "published"), str(error)) from error
    model: ModelSpec = checker.choose((*key, "model"), entry["model"], models, "model")
    if model.n_layers != 2 or model.d_mlp:
        raise checker.fault(
            (*key, "model"),
            f"{model.name} has {model.n_layers} layers and d_mlp {model.d_mlp}; scrubbing is of "
            "models with two layers and no MLP (n_layers: 2, d_mlp: 0)",
        )
    return model


def _listed(checker: Checker, key: Key, path: str) -> Listed:
    _check_file(checker, key, path)
    try:
        return read(path)
    except UserError as error:
        raise checker.fault(key, str(error)) from error


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
        _check_file(checker, (*key, "file"), entry["file"])
        return Examples(None, entry["file"], entry["number"], entry["length"])
    if isinstance(model, OwnModel):
        raise checker.fault(
            (*key, "corpus") if "corpus" in entry else key,
            "a published model has no tokenizer that a corpus can be cut with; give file: its "
            f"published examples, such as {TOKENS}",
        )
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
    if not isinstance(given, str):
        return checker.finite(key, given)
    _check_file(checker, key, given, "give a share such as 0.2, or check the path")
    return given


def _thresholds(checker: Checker, key: Key, given: Mapping[str, float]) -> Thresholds:
    entry = {**checker.defaults("scrubbing/thresholds"), **given}
    return Thresholds(**{role: checker.finite((*key, role), entry[role]) for role in entry})


def _reference(checker: Checker, key: Key, given: str | None) -> str | None:
    if given is not None:
        _check_file(checker, key, given, "check the path, or leave the key out")
    return given


def _check_file(checker: Checker, key: Key, path: str, remedy: str = "check the path") -> None:
    if not Path(path).is_file():
        raise checker.fault(key, f"no file {path}; {remedy}")
