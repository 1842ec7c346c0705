"""Entries of `sweeps` as this study sees them: generated texts or imported ones, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.contract import Context
from clampsweep.config.targets import parse_target_names
from clampsweep.errors import UserError
from clampsweep.models.chat import has_template, no_template
from clampsweep.operations import VALUED
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.bcr.labelled import unlike
from clampsweep.texts.request import Decoding, TextRequest


@dataclass(frozen=True)
class Controls:
    """What a sweep's targets are compared with: like neurons, and random directions.

    Attributes:
        count: Control neurons of each target, and as many random directions.
        seed: Decides which ones.
        matching: What a control neuron has in common with its target: `norm` (of the output
            weights), `activation` (root mean square over the baselines).
        values: The sweep's values that controls run with.
        prompts: Number of prompts, drawn by lot, that controls run on; None for all.
        best_clamp: Whether they run at their target's best clamps too, where `values` leaves
            some of the sweep's out.
    """

    count: int
    seed: int
    matching: tuple[str, ...]
    values: tuple[float | None, ...]
    prompts: int | None
    best_clamp: bool = True

    @property
    def drawn(self) -> tuple[int, int] | None:
        """Number of prompts to draw, and the seed; None for all."""
        return None if self.prompts is None else (self.prompts, self.seed)


@dataclass(frozen=True)
class Variability:
    """How often, and at which temperature, baselines are sampled to see how they vary."""

    seeds: int
    temperature: float


@dataclass(frozen=True)
class ImportedTexts:
    """Texts of an existing `extracted.tsv`, and the intervention that made them."""

    extracted: str
    target: str
    operation: str
    scope: str


@dataclass(frozen=True)
class BcrEntry:
    """One entry of `sweeps`.

    Attributes:
        name: The entry's.
        texts: What is generated, or the file that the texts come from.
        detectors: What counts as collapsed.
        reference: File of published figures to compare with, if any.
        controls: What the targets are compared with, if anything.
        variability: How baselines are sampled, if they are.
        chat_baselines: Whether the baselines are made in the chat format too.
    """

    name: str
    texts: TextRequest | ImportedTexts
    detectors: tuple[str, ...]
    reference: str | None = None
    controls: Controls | None = None
    variability: Variability | None = None
    chat_baselines: bool = False

    @property
    def title(self) -> str:
        """What the entry is, in a line, for figures and reports."""
        if isinstance(self.texts, TextRequest):
            return self.texts.title
        file = Path(self.texts.extracted).name
        return f"imported from {file}, {self.texts.target}, {self.texts.operation}"

    @property
    def unlike_labelled(self) -> tuple[str, ...]:
        """How its texts differ from those that detectors were measured on; empty if alike."""
        return unlike(self.texts if isinstance(self.texts, TextRequest) else None)


def parse(context: Context) -> BcrEntry:
    """An entry of `sweeps`, checked.

    Raises:
        UserError: Its first fault, with the key.
    """
    checker, key, entry, request = context.checker, context.key, context.entry, context.request
    if request is None:
        return _imported(context)
    return BcrEntry(
        name=context.name,
        texts=request,
        detectors=_detectors(checker, entry, "bcr/detectors"),
        reference=_reference(checker, key, entry, "bcr/detectors"),
        controls=_controls(checker, key, entry, request),
        variability=_variability(checker, key, entry, request.decoding),
        chat_baselines=_chat_baselines(checker, key, entry, request),
    )


def _controls(
    checker: Checker, key: Key, entry: Mapping[str, Any], request: TextRequest
) -> Controls | None:
    if "controls" not in entry:
        return None
    key, model, values = (*key, "controls"), request.model, request.values
    found = {**checker.defaults("bcr/controls"), **entry["controls"]}
    if found["count"] >= model.d_mlp:
        allowed = f"{model.name} has {model.d_mlp} neurons in a layer"
        raise checker.fault((*key, "count"), f"got {found['count']}; {allowed}; write fewer")
    chosen = found.get("values", values)
    if "values" in found and entry["operation"] not in VALUED:
        taken = f"operation {entry['operation']!r} takes none"
        raise checker.fault((*key, "values"), f"{taken}; remove it")
    if "matching" in entry["controls"] and request.directions:
        why = "controls of a direction are random ones of the same length"
        raise checker.fault((*key, "matching"), f"{why}; remove it")
    if "prompts" in found and entry["operation"] == "resample":
        why = "controls of operation 'resample' run on all prompts, so that donors are the same"
        raise checker.fault((*key, "prompts"), f"{why}; remove it")
    for at, value in enumerate(chosen):
        if value not in values:
            allowed = ", ".join(f"{one:g}" for one in values if one is not None)
            raise checker.fault(
                (*key, "values", at), f"got {value}; controls run with the sweep's: {allowed}"
            )
    return Controls(
        count=found["count"],
        seed=found["seed"],
        matching=tuple(found["matching"]),
        values=tuple(None if value is None else float(value) for value in chosen),
        prompts=found.get("prompts"),
        best_clamp=found["best_clamp"],
    )


def _variability(
    checker: Checker, key: Key, entry: Mapping[str, Any], decoding: Decoding
) -> Variability | None:
    if "variability" not in entry:
        return None
    if decoding.method == "sample":
        raise checker.fault(
            (*key, "variability"),
            "a sampled sweep has a baseline per seed already; remove it and write 8 seeds or more",
        )
    found = {**checker.defaults("bcr/variability"), **entry["variability"]}
    checker.finite((*key, "variability", "temperature"), found["temperature"])
    return Variability(found["seeds"], float(found["temperature"]))


def _chat_baselines(
    checker: Checker, sweep: Key, entry: Mapping[str, Any], request: TextRequest
) -> bool:
    """Whether baselines are made as chats too; a local model must have a chat template for it."""
    if not entry.get("chat_baselines"):
        return False
    key, model = (*sweep, "chat_baselines"), request.model
    if request.prompt_format.kind == "chat":
        why = "got true, but the sweep's prompts are chats already (prompt_format: chat)"
        raise checker.fault(key, f"{why}; write false, or prompt_format: raw")
    if model.path is not None and not has_template(model.path):
        raise checker.fault(key, f"got true, but {no_template(model.name)}, or write false")
    return True


def _detectors(checker: Checker, entry: Mapping[str, Any], part: str) -> tuple[str, ...]:
    return tuple(entry.get("detectors", checker.part(part)["default"]))


def _reference(checker: Checker, sweep: Key, entry: Mapping[str, Any], part: str) -> str | None:
    """The file of published figures to compare the sweep with, read and checked; None if none."""
    if "reference" not in entry:
        return None
    path, key = str(entry["reference"]), (*sweep, "reference")
    if not Path(path).is_file():
        raise checker.fault(key, f"got {path!r}; no such file")
    try:
        content = read_yaml(path)
        Checker({path: content}, checker.schemas).check(content, "bcr/reference", ())
    except UserError as error:
        raise checker.fault(key, str(error)) from error
    if (needed := content["detector"]) not in _detectors(checker, entry, part):
        raise checker.fault(
            key, f"{path} counts by detector {needed!r}; add {needed!r} to the sweep's detectors"
        )
    return path


def _imported(context: Context) -> BcrEntry:
    checker, key, entry = context.checker, context.key, context.entry
    checker.check(entry, "bcr/imported_sweep", key)
    if not Path(entry["extracted"]).is_file():
        raise checker.fault((*key, "extracted"), f"got {entry['extracted']!r}; no such file")
    if len(entry["neurons"]) != 1:
        raise checker.fault((*key, "neurons"), "an imported sweep is of one target; give one name")
    target = parse_target_names(checker, (*key, "neurons"), entry["neurons"])[0]
    return BcrEntry(
        name=context.name,
        texts=ImportedTexts(entry["extracted"], target, entry["operation"], entry["scope"]),
        detectors=_detectors(checker, entry, "bcr/imported_detectors"),
        reference=_reference(checker, key, entry, "bcr/imported_detectors"),
    )
