"""Entries of `sweeps` whose neurons an earlier finding names: the keys, and whether it is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.entries import Config
from clampsweep.errors import UserError
from clampsweep.models.spec import ModelSpec
from clampsweep.texts.found import Found, best, check_neurons, read_roles
from clampsweep.texts.request import TextRequest


def names_a_finding(entry: Mapping[str, Any]) -> bool:
    """Whether keys of `neurons` are these, and not those of a choice by statistics."""
    return "select" not in entry and ("from" in entry or "role" in entry)


def parse_found(checker: Checker, key: Key, entry: Mapping[str, Any], model: ModelSpec) -> Found:
    """The best neurons of a role, of an entry `neurons` of the sweep that the key is of.

    Raises:
        UserError: A key is wrong, or the model has not so many neurons.
    """
    checker.check(entry, "config/found", key)
    if entry["top"] > (most := model.n_layers * model.d_mlp):
        raise checker.fault((*key, "top"), f"got {entry['top']}; there are {most} neurons")
    return Found.of(str(key[-2]), _plain(entry["from"]), entry["role"], entry["top"])


def _plain(path: str) -> str:
    """A path as rules name their outputs: from here, if it is below."""
    here = os.path.relpath(path)
    return os.path.normpath(path) if here.startswith("..") else here


def check_found(checker: Checker, config: Config) -> None:
    """Refuse tables of roles that are not there and that nothing makes, or that name too little.

    A table that the run makes is read when it has been made. One of an entry that is not run need
    not be there.

    Raises:
        UserError: The first fault, with the key.
    """
    made = {f"results/{file}" for file in config.files}
    for name, request in config.requests(config.names).items():
        if isinstance(request.targets, Found) and name == request.targets.entry:
            _check(checker, request, request.targets, made, name in config.run)


def _check(
    checker: Checker, request: TextRequest, found: Found, made: set[str], is_run: bool
) -> None:
    """Look at one entry's table, if it is there and will not be made anew."""
    key: Key = ("sweeps", found.entry, "neurons")
    if found.file in made and not found.file.startswith(f"results/{found.entry}/"):
        return
    if found.file in made:
        why = "it follows from the sweep itself; name a table that is there before"
        raise checker.fault((*key, "from"), f"got {found.file!r}, but {why}")
    if not Path(found.file).is_file():
        if not is_run:
            return
        remedy = "make it first (make universal), put its entry into run too, or correct the path"
        why = "no such file, and no entry of the run makes it"
        raise checker.fault((*key, "from"), f"got {found.file!r}; {why}; {remedy}")
    model = request.model
    try:
        check_neurons(
            best(read_roles(found.file), found.file, found.role, found.top),
            found.file,
            lambda one: one.layer < model.n_layers and one.index < model.d_mlp,
            f"{model.name} has layers 0-{model.n_layers - 1} and neurons 0-{model.d_mlp - 1}",
        )
    except UserError as error:
        raise checker.fault(key, str(error)) from error
