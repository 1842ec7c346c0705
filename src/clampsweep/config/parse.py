"""The whole config, checked: what all studies share here, each study's entries by the study.

Every fault is one line: file, key, value got, values allowed. No torch here; it runs at parse time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.contract import Context, Study
from clampsweep.config.entries import Compute, Config
from clampsweep.config.found import check_found
from clampsweep.config.limits import no_cuda
from clampsweep.config.requests import parse_request
from clampsweep.config.schemas import join
from clampsweep.config.targets import direction_files
from clampsweep.models.spec import ModelSpec, folder_digest
from clampsweep.provenance import file_digest, json_digest
from clampsweep.texts.request import PromptsetSpec

_RESERVED = frozenset({"batches", "plans", "generations", "vectors", "shards"})


def parse(
    merged: Mapping[str, Any],
    files: Mapping[str, dict[str, Any]],
    schemas: Path | str,
    studies: Sequence[Study],
) -> Config:
    """The checked config.

    Args:
        merged: All config files laid over each other.
        files: Each file's own content by its name, in the order of laying over: for messages.
        schemas: Folder of the schemas, `workflow/schemas`.
        studies: The studies that there are.

    Raises:
        UserError: The first fault, one line.
    """
    checker = Checker(files, join(schemas, studies))
    checker.check(dict(merged), "config", ())
    models = {name: _model(checker, name, entry) for name, entry in merged["models"].items()}
    promptsets = {
        name: _promptset(checker, name, entry) for name, entry in merged["promptsets"].items()
    }
    entries: dict[str, dict[str, Any]] = {study.name: {} for study in studies}
    for study, context in _contexts(checker, merged, models, promptsets, studies):
        entry = study.parse(context)
        if entry is not None:
            entries[study.name][context.name] = entry
    compute = _compute(checker, merged.get("compute", {}))
    files_named = tuple(dict.fromkeys(direction_files(merged)))
    config = Config(
        tuple(merged["run"]), models, promptsets, entries, compute, tuple(studies), files_named
    )
    _check_names(checker, config)
    check_found(checker, config)
    return config


def _contexts(
    checker: Checker,
    merged: Mapping[str, Any],
    models: Mapping[str, ModelSpec],
    promptsets: Mapping[str, PromptsetSpec],
    studies: Sequence[Study],
) -> Iterator[tuple[Study, Context]]:
    """Every study with every entry that it may parse, in the order of the config."""
    sharing = [study for study in studies if study.sweep_keys]
    for name, entry in merged["sweeps"].items():
        key: Key = ("sweeps", name)
        importing = [study for study in sharing if study.import_key in entry]
        request = None
        if not importing:
            request = parse_request(checker, key, entry, models, promptsets)
        for study in importing or sharing:
            yield study, Context(checker, key, name, entry, models, promptsets, request)
    for study in studies:
        section = {} if study.sweep_keys else merged.get(study.name, {})
        for name, entry in section.items():
            key = (study.name, name)
            yield study, Context(checker, key, name, entry, models, promptsets, None)


def _check_names(checker: Checker, config: Config) -> None:
    """Refuse names that stand in two sections, that `results/` has a use for, or of no entry."""
    section: dict[str, str] = {}
    taken = set(_RESERVED)
    for study in config.studies:
        for name, entry in config.entries[study.name].items():
            own = "sweeps" if study.sweep_keys else study.name
            if section.setdefault(name, own) != own:
                raise checker.fault(
                    (own, name), f"{section[name]} has an entry {name!r} too; rename one of them"
                )
            # Files that stay where they are under another name are not in the entry's own folder.
            taken |= {file.partition("/")[0] for file in study.files(replace(entry, name=""))}
    for name in taken & set(section):
        raise checker.fault((section[name], name), f"{name!r} is a folder of results/; rename it")
    for at, name in enumerate(config.run):
        checker.choose(("run", at), name, section, "entry")


def _compute(checker: Checker, entry: Mapping[str, Any]) -> Compute:
    compute = Compute(**{**checker.defaults("config/compute"), **entry})
    if compute.device == "cuda" and (why := no_cuda()):
        raise checker.fault(("compute", "device"), why)
    return compute


def _model(checker: Checker, name: str, entry: Mapping[str, Any]) -> ModelSpec:
    key: Key = ("models", name)
    if entry.get("source") not in ("pypi", "hub", "path", "made"):
        raise checker.fault(
            (*key, "source"), f"got {entry.get('source')!r}; allowed: pypi, hub, path, made"
        )
    checker.check(entry, f"config/model_{entry['source']}", key)
    _check_wheels(checker, key, entry)
    _check_terms(checker, key, entry)
    if entry["source"] == "made":
        _check_recipe(checker, key, entry)
    spec = ModelSpec(where=checker.where(key), name=name, **entry)
    if spec.path is not None and not (Path(spec.path) / "config.json").is_file():
        raise checker.fault(
            (*key, "path"), f"got {spec.path!r}; it must be a folder with a config.json"
        )
    if spec.path is not None and spec.sha256 not in (None, folder_digest(Path(spec.path))):
        raise checker.fault(
            (*key, "sha256"),
            f"got {spec.sha256!r}, but {spec.path} has digest {folder_digest(Path(spec.path))}",
        )
    return spec


def _check_wheels(checker: Checker, key: Key, entry: Mapping[str, Any]) -> None:
    """Refuse a wheel without its file, and one wheel beside several."""
    whole = [name for name in ("package", "file") if name in entry]
    if entry["source"] == "pypi" and len(whole) != (0 if "parts" in entry else 2):
        raise checker.fault(
            key, "give either package and file (one wheel), or parts (wheels whose files join)"
        )


def _check_terms(checker: Checker, key: Key, entry: Mapping[str, Any]) -> None:
    """Refuse a model whose licence has terms of use that the user has not said to accept."""
    if "accept_terms" in entry and "terms" not in entry:
        raise checker.fault(key, "lacks the key 'terms', the address of what accept_terms accepts")
    if "terms" in entry and not entry.get("accept_terms"):
        raise checker.fault(
            (*key, "accept_terms"),
            f"got {entry.get('accept_terms', False)}; the licence {entry['licence']} has terms of "
            f"use, {entry['terms']}: read them, and set accept_terms: true if you accept them",
        )


def _check_recipe(checker: Checker, key: Key, entry: Mapping[str, Any]) -> None:
    """Refuse a recipe that is not as the study says, in whose schema it is `$defs.recipe`."""
    makers = [name for name, schema in checker.schemas.items() if "recipe" in schema["$defs"]]
    if entry["by"] not in makers:
        allowed = ", ".join(makers) or "none, as no study makes models"
        raise checker.fault((*key, "by"), f"got {entry['by']!r}; allowed: {allowed}")
    checker.check(entry["recipe"], f"{entry['by']}/recipe", (*key, "recipe"))
    try:
        json_digest(entry["recipe"])
    except ValueError as error:
        raise checker.fault((*key, "recipe"), "holds a number that is not finite") from error


def _promptset(checker: Checker, name: str, entry: Mapping[str, Any]) -> PromptsetSpec:
    key: Key = ("promptsets", name)
    checker.check(entry, "config/promptset", key)
    if ("path" in entry) == ("url" in entry):
        raise checker.fault(key, "give either path (a local file) or url with sha256")
    if "url" in entry and "sha256" not in entry:
        raise checker.fault(key, "lacks the key 'sha256', which a url needs")
    if "path" in entry and not Path(entry["path"]).is_file():
        raise checker.fault(
            (*key, "path"),
            f"got {entry['path']!r}; no such file; correct the path or make the file",
        )
    if "path" in entry and entry.get("sha256") not in (None, got := file_digest(entry["path"])):
        raise checker.fault((*key, "sha256"), f"got {entry['sha256']!r}, but the file has {got}")
    for own in ("template", "id"):
        if own in entry and entry["format"] == "grid":
            raise checker.fault(
                (*key, own), "a grid has no columns; remove it, or write format: csv or jsonl"
            )
    return PromptsetSpec(where=checker.where(key), name=name, **entry)
