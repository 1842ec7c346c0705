"""The config: read, checked against the schema and across fields, turned into frozen dataclasses.

Every fault is one line: file, key, value got, values allowed. No torch here; it runs at parse time.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from clampsweep import srm_config
from clampsweep.errors import UserError
from clampsweep.names import OWN, Neuron, parse_neuron, parse_target, target_name
from clampsweep.provenance import file_digest, json_digest
from clampsweep.validation import Checker, Key, read_yaml

_RESERVED = frozenset({"batches", "plans", "generations", "vectors", "detectors"})
VALUED = frozenset({"set", "add", "scale"})


@dataclass(frozen=True)
class ModelSpec:
    """One entry of `models`: where the model comes from and how it is loaded."""

    where: str
    name: str
    source: str
    licence: str
    n_layers: int
    d_mlp: int
    dtype: str
    prepend_bos: bool
    weight_processing: str
    package: str | None = None
    file: str | None = None
    sha256: str | None = None
    repo: str | None = None
    revision: str | None = None
    path: str | None = None

    @property
    def origin(self) -> str:
        """What is fetched, in words."""
        if self.source == "pypi":
            return f"{self.package}/{self.file}"
        return f"{self.repo}@{self.revision}" if self.source == "hub" else str(self.path)

    @property
    def identity(self) -> str:
        """Digest of all that decides the model's outputs, known before it is fetched.

        A hub revision and a file digest pin the content; a local folder is pinned by its files.
        """
        content = self.sha256 if self.source == "pypi" else self.origin
        if self.source == "path":
            content = folder_digest(Path(self.path or ""))
        loading = [self.dtype, self.prepend_bos, self.weight_processing]
        return json_digest([self.source, content, *loading])[:32]

    def check_fetched(self, folder: Path) -> None:
        """Refuse a model's folder that was fetched for another model.

        Args:
            folder: `resources/models/<name>`.

        Raises:
            UserError: Its `model.json` is missing, damaged or of another model.
        """
        manifest = folder / "model.json"
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))["identity"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{manifest}: missing or damaged; delete {folder} and run again"
            ) from error
        if found != self.identity:
            raise UserError(
                f"{manifest}: of another model than {self.where} names; delete {folder} and run "
                "again"
            )

    def fetching(self) -> dict[str, Any]:
        """Fields as a rule's parameters, without the config file's name."""
        return {**asdict(self), "where": f"models.{self.name}"}

    def loading(self) -> dict[str, Any]:
        """Fields that matter once the model is fetched, the others blank."""
        origin = dict.fromkeys(("package", "file", "sha256", "repo", "revision", "path"))
        return {**self.fetching(), **origin, "licence": "", "name": "", "where": "model"}


@dataclass(frozen=True)
class PromptsetSpec:
    """One entry of `promptsets`: a local file, or an address with its digest."""

    where: str
    name: str
    format: str
    path: str | None = None
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen: greedy, or sampling at a temperature with top-k and top-p cuts."""

    method: str
    max_new_tokens: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The parameters that matter for the method, as they stand in a combination's identity."""
        greedy = {"method": self.method, "max_new_tokens": self.max_new_tokens}
        if self.method == "greedy":
            return greedy
        top_p = None if self.top_p is None else float(self.top_p)
        cuts = {"top_k": self.top_k, "top_p": top_p}
        return {**greedy, "temperature": float(self.temperature), **cuts}


@dataclass(frozen=True)
class Selection:
    """Neurons chosen by baseline statistics: the `top` by a criterion, in one layer or all."""

    select: str
    layer: int | None
    top: int


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
    srm: srm_config.Srm | None = None
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


@dataclass(frozen=True)
class Compute:
    """Resources; they change no result."""

    threads: int
    device: str
    rows_per_forward: int
    combinations_per_batch: int


@dataclass(frozen=True)
class Config:
    """A checked config; `sweeps` holds the derived ones too (`<sweep>/controls`)."""

    run: tuple[str, ...]
    models: Mapping[str, ModelSpec]
    promptsets: Mapping[str, PromptsetSpec]
    sweeps: Mapping[str, Sweep | ImportedSweep]
    compute: Compute


@functools.cache
def folder_digest(folder: Path) -> str:
    """Digest of the files of a local model folder, by name and content."""
    return json_digest(
        {path.name: file_digest(path) for path in sorted(folder.iterdir()) if path.is_file()}
    )


def parse(
    merged: Mapping[str, Any], files: Mapping[str, dict[str, Any]], schema_file: Path | str
) -> Config:
    """The checked config.

    Args:
        merged: All config files laid over each other, as Snakemake does it.
        files: Each file's own content by its name, in the order of laying over: for messages.
        schema_file: `workflow/schemas/config.schema.yaml`.

    Raises:
        UserError: The first fault, one line.
    """
    checker = Checker(files, read_yaml(schema_file))
    checker.check(dict(merged), None, ())
    models = {name: _model(checker, name, entry) for name, entry in dict(merged["models"]).items()}
    promptsets = {
        name: _promptset(checker, name, entry) for name, entry in merged["promptsets"].items()
    }
    sweeps = {
        name: _sweep(checker, name, entry, models, promptsets)
        for name, entry in merged["sweeps"].items()
    }
    for name in _RESERVED & set(sweeps):
        raise checker.fault(("sweeps", name), f"{name!r} is a folder of results/; rename the sweep")
    for at, name in enumerate(merged["run"]):
        checker.choose(("run", at), name, sweeps, "sweep")
    defaults = {
        key: part["default"]
        for key, part in checker.schema["properties"]["compute"]["properties"].items()
    }
    compute = Compute(**{**defaults, **merged.get("compute", {})})
    for sweep in list(sweeps.values()):
        sweeps |= sweep.derived if isinstance(sweep, Sweep) else {}
    return Config(tuple(merged["run"]), models, promptsets, sweeps, compute)


def _model(checker: Checker, name: str, entry: Mapping[str, Any]) -> ModelSpec:
    key: Key = ("models", name)
    if entry.get("source") not in ("pypi", "hub", "path"):
        raise checker.fault(
            (*key, "source"), f"got {entry.get('source')!r}; allowed: pypi, hub, path"
        )
    checker.check(entry, f"model_{entry['source']}", key)
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


def _promptset(checker: Checker, name: str, entry: Mapping[str, Any]) -> PromptsetSpec:
    key: Key = ("promptsets", name)
    checker.check(entry, "promptset", key)
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
    return PromptsetSpec(where=checker.where(key), name=name, **entry)


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
    targets = _targets(checker, (*key, "neurons"), entry["neurons"], model)
    joint = [] if isinstance(targets, Selection) else [name for name in targets if "+" in name]
    if joint and entry["operation"] == "mean":
        raise checker.fault(
            (*key, "neurons"),
            f"operation mean takes single neurons, got {joint[0]!r}; name them one by one",
        )
    values = _values(checker, key, entry)
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
        seeds=_seeds(checker, key, entry, decoding),
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
) -> srm_config.Srm | None:
    if entry is None:
        return None
    if isinstance(targets, Selection):
        layers = [] if targets.layer is None else [targets.layer]
        return srm_config.parse(checker, key, entry, (), layers, model.d_mlp)
    found = {neuron.layer for name in targets for neuron in parse_target(name)}
    return srm_config.parse(checker, key, entry, targets, sorted(found), model.d_mlp)


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
    targets = _target_names(checker, (*key, "neurons"), entry["neurons"])
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


def parse_decoding(checker: Checker, key: Key, entry: Mapping[str, Any]) -> Decoding:
    """How tokens are chosen, of an entry `decoding`.

    Raises:
        UserError: Its first fault, with the key.
    """
    if entry.get("method") not in ("greedy", "sample"):
        raise checker.fault(
            (*key, "method"), f"got {entry.get('method')!r}; allowed: greedy, sample"
        )
    checker.check(entry, f"decoding_{entry['method']}", key)
    for name in ("temperature", "top_p"):
        checker.finite((*key, name), entry.get(name, 1.0))
    return Decoding(**entry)


def _values(checker: Checker, key: Key, entry: Mapping[str, Any]) -> tuple[float | None, ...]:
    operation = entry["operation"]
    if operation not in VALUED:
        if "values" in entry:
            raise checker.fault((*key, "values"), f"operation {operation!r} takes none; remove it")
        return (None,)
    if "values" not in entry:
        raise checker.fault(key, f"lacks the key 'values', which operation {operation!r} needs")
    return tuple(
        checker.finite((*key, "values", at), value) for at, value in enumerate(entry["values"])
    )


def parse_scope(checker: Checker, key: Key, entry: str | list[int]) -> str:
    """A scope as it stands in a combination: a name, or positions such as `0,3`.

    Raises:
        UserError: It is neither.
    """
    checker.check(entry, "scope_name" if isinstance(entry, str) else "scope_indices", key)
    return entry if isinstance(entry, str) else ",".join(map(str, sorted(entry)))


def _seeds(
    checker: Checker, key: Key, entry: Mapping[str, Any], decoding: Decoding
) -> tuple[int | None, ...]:
    draws = decoding.method == "sample" or entry["operation"] == "resample"
    if draws:
        return tuple(entry.get("seeds", (0,)))
    if "seeds" in entry:
        raise checker.fault(
            (*key, "seeds"),
            "nothing is drawn with greedy decoding; remove it or use method: sample",
        )
    return (None,)


def _targets(
    checker: Checker, key: Key, entry: list[Any] | Mapping[str, Any], model: ModelSpec
) -> tuple[str, ...] | Selection:
    if isinstance(entry, Mapping):
        checker.check(entry, "selection", key)
        layer = entry["layer"]
        if isinstance(layer, str) and layer not in ("last", "all"):
            raise checker.fault((*key, "layer"), f"got {layer!r}; allowed: last, all or a layer")
        if isinstance(layer, int) and not 0 <= layer < model.n_layers:
            raise checker.fault(
                (*key, "layer"),
                f"got {layer}; {model.name} has layers 0-{model.n_layers - 1}",
            )
        number = {"last": model.n_layers - 1, "all": None}.get(layer, layer)
        most = model.d_mlp * (model.n_layers if number is None else 1)
        if entry["top"] > most:
            raise checker.fault((*key, "top"), f"got {entry['top']}; there are {most} neurons")
        return Selection(entry["select"], number, entry["top"])
    return _target_names(checker, key, entry, model)


def _target_names(
    checker: Checker, key: Key, entry: Sequence[Any], model: ModelSpec | None = None
) -> tuple[str, ...]:
    checker.check(entry, "neuron_names", key)
    found: list[str] = []
    for at, item in enumerate(entry):
        names = [item] if isinstance(item, str) else item
        if not isinstance(item, str):
            checker.check(item, "joint_neurons", (*key, at))
        neurons = [_neuron(checker, (*key, at), name, model) for name in names]
        if len(set(neurons)) < len(neurons):
            raise checker.fault((*key, at), f"{item!r} names a neuron twice; remove one")
        target = target_name(tuple(neurons))
        if target in found:
            raise checker.fault((*key, at), f"{target!r} stands in the list twice; remove one")
        found.append(target)
    return tuple(found)


def _neuron(checker: Checker, key: Key, name: str, model: ModelSpec | None) -> Neuron:
    try:
        neuron = parse_neuron(name)
    except ValueError as error:
        raise checker.fault(key, str(error)) from error
    if neuron.direction != OWN:
        raise checker.fault(key, f"{name!r} names a random direction; write 'controls' for these")
    if model is None:
        return neuron
    for what, plural, number, limit in (
        ("layer", "layers", neuron.layer, model.n_layers),
        ("neuron", "neurons", neuron.index, model.d_mlp),
    ):
        if number >= limit:
            raise checker.fault(
                key, f"{name!r} names {what} {number}; {model.name} has {plural} 0-{limit - 1}"
            )
    return neuron
