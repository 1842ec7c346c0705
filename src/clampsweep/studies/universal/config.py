"""Makes an entry of the config's section `universal`, checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.contract import Context
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.universal.entry import (
    Agreement,
    Domain,
    Features,
    Roles,
    Texts,
    UniversalEntry,
)


def parse(context: Context) -> UniversalEntry:
    """An entry that fits the schema; checked here is what a schema cannot know.

    Raises:
        UserError: The first fault, one line.
    """
    checker, key = context.checker, context.key
    entry = {**checker.defaults("universal/entry"), **context.entry}
    model: ModelSpec = checker.choose((*key, "model"), entry["model"], context.models, "model")
    if not model.d_mlp:
        raise checker.fault((*key, "model"), f"{model.name} has no neurons (d_mlp: 0)")
    texts = _texts(checker, (*key, "texts"), entry["texts"])
    domains = {domain.name: domain for domain in texts.domains}
    pairs = []
    for at, pair in enumerate(entry["pairs"]):
        new, known = pair
        for place, name in enumerate(pair):
            checker.choose((*key, "pairs", at, place), name, domains, "domain")
        pairs.append((new, known))
    return UniversalEntry(
        name=context.name,
        model=model,
        texts=texts,
        pairs=tuple(pairs),
        reference=entry.get("reference"),
        features=_features(checker, entry.get("features")),
        roles=_roles(checker, (*key, "roles"), entry.get("roles"), domains),
        agreement=_agreement(checker, (*key, "agreement"), entry.get("agreement"), model, context),
        seed=entry["seed"],
    )


def _texts(checker: Checker, key: Key, given: Mapping[str, Any]) -> Texts:
    """The domains and how they are cut."""
    entry = {**checker.defaults("universal/texts"), **given}
    domains = []
    for name, one in entry["domains"].items():
        file = one["file"]
        if not Path(file).exists() and not any(Path().glob(file.lstrip("/"))):
            raise checker.fault(
                (*key, "domains", name, "file"),
                f"got {file!r}; no such file or folder, and a pattern that fits none; correct it",
            )
        domains.append(Domain(name=name, **one))
    if entry["blocks"] > entry["sequences"]:
        raise checker.fault(
            (*key, "blocks"),
            f"got {entry['blocks']}; a domain has {entry['sequences']} sequences, write that many "
            "or fewer",
        )
    if entry["skip"] >= entry["context"]:
        raise checker.fault(
            (*key, "skip"), f"got {entry['skip']}; write less than context, {entry['context']}"
        )
    numbers = {name: entry[name] for name in ("sequences", "context", "skip", "blocks")}
    return Texts(domains=tuple(domains), **numbers)


def _features(checker: Checker, given: Mapping[str, Any] | None) -> Features | None:
    if given is None:
        return None
    return Features(**{**checker.defaults("universal/features"), **given})


def _roles(
    checker: Checker, key: Key, given: Mapping[str, Any] | None, domains: Mapping[str, Domain]
) -> Roles | None:
    if given is None:
        return None
    entry = {**checker.defaults("universal/roles"), **given}
    domain = entry.get("domain", next(iter(domains)))
    checker.choose((*key, "domain"), domain, domains, "domain")
    values = tuple(
        checker.finite((*key, "values", at), value) for at, value in enumerate(entry["values"])
    )
    return Roles(**{**entry, "domain": domain, "values": values})


def _agreement(
    checker: Checker,
    key: Key,
    given: Mapping[str, Any] | None,
    model: ModelSpec,
    context: Context,
) -> Agreement | None:
    if given is None:
        return None
    entry = {**checker.defaults("universal/agreement"), **given}
    named = {}
    for part in ("others", "checkpoints"):
        specs = []
        for at, name in enumerate(entry[part]):
            spec = checker.choose((*key, part, at), name, context.models, "model")
            if spec == model or not spec.d_mlp:
                what = "is the model itself" if spec == model else "has no neurons (d_mlp: 0)"
                raise checker.fault((*key, part, at), f"{name} {what}; name another model")
            specs.append(spec)
        named[part] = tuple(specs)
    for at, spec in enumerate(named["checkpoints"]):
        if (spec.n_layers, spec.d_mlp) != (model.n_layers, model.d_mlp):
            raise checker.fault(
                (*key, "checkpoints", at),
                f"{spec.name} has {spec.n_layers} layers of {spec.d_mlp} neurons, {model.name} "
                f"{model.n_layers} of {model.d_mlp}; name earlier states of the same training",
            )
    return Agreement(
        others=named["others"],
        cut=entry["cut"],
        neurons=entry.get("neurons"),
        shifts=entry["shifts"],
        checkpoints=named["checkpoints"],
        ablation=entry.get("ablation"),
    )
