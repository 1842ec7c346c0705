"""Entries of `sweeps` as this study sees them: generated texts or imported ones, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.requests import (
    parse_decoding,
    parse_scope,
    parse_seeds,
    parse_target_names,
    parse_targets,
    parse_values,
)
from clampsweep.errors import UserError
from clampsweep.models.spec import ModelSpec
from clampsweep.names import parse_target
from clampsweep.operations import VALUED
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.srm import config
from clampsweep.studies.srm.plane import Srm
from clampsweep.texts.request import Decoding, PromptsetSpec, Selection


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
    """

    count: int
    seed: int
    matching: tuple[str, ...]
    values: tuple[float | None, ...]
    prompts: int | None

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
class Matched:
    """Targets that are the controls of another sweep's."""

    of: str
    controls: Controls


@dataclass(frozen=True)
class Sweep:
    """One entry of `sweeps` that generates text, or one that is derived from it.

    `drawn` is the number of prompts drawn from the promptset, and the seed; None for all.
    """

    where: str
    name: str
    model: ModelSpec
    promptset: PromptsetSpec
    targets: tuple[str, ...] | Selection | Matched
    operation: str
    values: tuple[float | None, ...]
    scope: str
    decoding: Decoding
    seeds: tuple[int | None, ...]
    detectors: tuple[str, ...]
    reference: str | None = None
    controls: Controls | None = None
    variability: Variability | None = None
    srm: Srm | None = None
    drawn: tuple[int, int] | None = None

    @property
    def title(self) -> str:
        """What the sweep is, in a line, for figures and reports."""
        if isinstance(self.targets, Matched):
            neurons = f"controls of {self.targets.of}"
        elif isinstance(self.targets, Selection):
            neurons = f"{self.targets.top} selected neurons ({self.targets.select})"
        elif len(self.targets) > 3:
            neurons = f"{len(self.targets)} neurons"
        else:
            neurons = ", ".join(self.targets)
        how = f"{self.decoding.method}, {self.decoding.max_new_tokens} tokens"
        return f"{self.model.name}, {neurons}, {self.operation}, {how}"

    def selection(self) -> dict[str, Any] | list[str]:
        """The targets as a rule's parameter: how to select them, or their names."""
        return list(self.targets) if isinstance(self.targets, tuple) else asdict(self.targets)

    @property
    def needs_statistics(self) -> bool:
        """Whether the neurons or the values follow from the baseline's neuron statistics."""
        return not isinstance(self.targets, tuple) or self.operation == "mean"

    @property
    def derived(self) -> dict[str, Sweep]:
        """The sweeps that this one is compared with, by name, made with it."""
        plain: dict[str, Any] = dict.fromkeys(("reference", "controls", "variability", "srm"))
        found = {}
        if self.controls is not None:
            found[f"{self.name}/controls"] = replace(
                self,
                name=f"{self.name}/controls",
                targets=Matched(self.name, self.controls),
                values=self.controls.values,
                drawn=self.controls.drawn,
                **plain,
            )
        if self.variability is not None:
            decoding = replace(
                self.decoding, method="sample", temperature=self.variability.temperature
            )
            found[f"{self.name}/variability"] = replace(
                self,
                name=f"{self.name}/variability",
                targets=(),
                operation="zero",
                values=(),
                decoding=decoding,
                seeds=tuple(range(self.variability.seeds)),
                **plain,
            )
        return found


@dataclass(frozen=True)
class ImportedSweep:
    """One entry of `sweeps` whose texts come from an existing `extracted.tsv`."""

    where: str
    name: str
    extracted: str
    target: str
    operation: str
    scope: str
    detectors: tuple[str, ...]
    reference: str | None = None

    @property
    def title(self) -> str:
        """What the sweep is, in a line, for figures and reports."""
        return f"imported from {Path(self.extracted).name}, {self.target}, {self.operation}"


def _sweep(
    checker: Checker,
    name: str,
    entry: Mapping[str, Any],
    models: Mapping[str, ModelSpec],
    promptsets: Mapping[str, PromptsetSpec],
) -> Sweep | ImportedSweep:
    key: Key = ("sweeps", name)
    if "extracted" in entry:
        return _imported(checker, name, entry)
    checker.check(entry, "generated_sweep", key)
    model = checker.choose((*key, "model"), entry["model"], models, "model")
    decoding = parse_decoding(checker, (*key, "decoding"), entry["decoding"])
    targets = parse_targets(checker, (*key, "neurons"), entry["neurons"], model)
    joint = [] if isinstance(targets, Selection) else [name for name in targets if "+" in name]
    if joint and entry["operation"] == "mean":
        raise checker.fault(
            (*key, "neurons"),
            f"operation mean takes single neurons, got {joint[0]!r}; name them one by one",
        )
    values = parse_values(checker, key, entry)
    return Sweep(
        where=checker.where(key),
        name=name,
        model=model,
        promptset=checker.choose((*key, "promptset"), entry["promptset"], promptsets, "promptset"),
        targets=targets,
        operation=entry["operation"],
        values=values,
        scope=parse_scope(checker, (*key, "scope"), entry["scope"]),
        decoding=decoding,
        seeds=parse_seeds(checker, key, entry, decoding),
        detectors=_detectors(checker, entry, "generated_sweep"),
        reference=_reference(checker, key, entry, "generated_sweep"),
        controls=_controls(checker, key, entry, values, model),
        variability=_variability(checker, key, entry, decoding),
        srm=_srm(checker, (*key, "srm"), entry.get("srm"), targets, model),
    )


def _defaults(checker: Checker, part: str) -> dict[str, Any]:
    properties = checker.schema["$defs"][part]["properties"]
    return {name: one["default"] for name, one in properties.items() if "default" in one}


def _controls(
    checker: Checker,
    key: Key,
    entry: Mapping[str, Any],
    values: tuple[float | None, ...],
    model: ModelSpec,
) -> Controls | None:
    if "controls" not in entry:
        return None
    key = (*key, "controls")
    found = {**_defaults(checker, "controls"), **entry["controls"]}
    if found["count"] >= model.d_mlp:
        allowed = f"{model.name} has {model.d_mlp} neurons in a layer"
        raise checker.fault((*key, "count"), f"got {found['count']}; {allowed}; write fewer")
    chosen = found.get("values", values)
    if "values" in found and entry["operation"] not in VALUED:
        taken = f"operation {entry['operation']!r} takes none"
        raise checker.fault((*key, "values"), f"{taken}; remove it")
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
    found = {**_defaults(checker, "variability"), **entry["variability"]}
    checker.finite((*key, "variability", "temperature"), found["temperature"])
    return Variability(found["seeds"], float(found["temperature"]))


def _srm(
    checker: Checker,
    key: Key,
    entry: Mapping[str, Any] | None,
    targets: tuple[str, ...] | Selection,
    model: ModelSpec,
) -> Srm | None:
    if entry is None:
        return None
    if isinstance(targets, Selection):
        layers = [] if targets.layer is None else [targets.layer]
        return config.parse(checker, key, entry, (), layers, model.d_mlp)
    found = {neuron.layer for name in targets for neuron in parse_target(name)}
    return config.parse(checker, key, entry, targets, sorted(found), model.d_mlp)


def _detectors(checker: Checker, entry: Mapping[str, Any], part: str) -> tuple[str, ...]:
    allowed = checker.schema["$defs"][part]["properties"]["detectors"]
    if "$ref" in allowed:
        allowed = checker.schema["$defs"][allowed["$ref"].rsplit("/", 1)[1]]
    return tuple(entry.get("detectors", allowed["default"]))


def _reference(checker: Checker, sweep: Key, entry: Mapping[str, Any], part: str) -> str | None:
    """The file of published figures to compare the sweep with, read and checked; None if none."""
    if "reference" not in entry:
        return None
    path, key = str(entry["reference"]), (*sweep, "reference")
    if not Path(path).is_file():
        raise checker.fault(key, f"got {path!r}; no such file")
    try:
        content = read_yaml(path)
        Checker({path: content}, checker.schema).check(content, "reference", ())
    except UserError as error:
        raise checker.fault(key, str(error)) from error
    if (needed := content["detector"]) not in _detectors(checker, entry, part):
        raise checker.fault(
            key, f"{path} counts by detector {needed!r}; add {needed!r} to the sweep's detectors"
        )
    return path


def _imported(checker: Checker, name: str, entry: Mapping[str, Any]) -> ImportedSweep:
    key: Key = ("sweeps", name)
    checker.check(entry, "imported_sweep", key)
    if not Path(entry["extracted"]).is_file():
        raise checker.fault((*key, "extracted"), f"got {entry['extracted']!r}; no such file")
    if len(entry["neurons"]) != 1:
        raise checker.fault((*key, "neurons"), "an imported sweep is of one target; give one name")
    targets = parse_target_names(checker, (*key, "neurons"), entry["neurons"])
    return ImportedSweep(
        where=checker.where(key),
        name=name,
        extracted=entry["extracted"],
        target=targets[0],
        operation=entry["operation"],
        scope=entry["scope"],
        detectors=_detectors(checker, entry, "imported_sweep"),
        reference=_reference(checker, key, entry, "imported_sweep"),
    )
