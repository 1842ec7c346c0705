# The config, checked, and what follows from it: prompts, plans, batches. No rules, no torch.
import re
from functools import cache
from pathlib import Path

from clampsweep import clock, plan, promptset, scratch
from clampsweep.provenance import code_digest

# What a run keeps of each sweep, and of generated ones besides; the reports say what each is.
KEPT = {
    "summary.md": "the answers, in words and numbers",
    "summary.html": "the same as a page",
    "improvement_report.md": "every collapsed baseline and each text that a clamp recovered",
    "metrics.csv": "every text with its prompt, metrics and flags",
    "extracted.tsv": "core_id, type, level, sweep, prompt, output, as the field exchanges them",
    "prompts.parquet": "the prompts",
    "generations.parquet": "the texts and token ids",
    "text_metrics.parquet": "numbers of each text",
    "recovery.parquet": "flags of each text against its baseline",
    "rates.parquet": "rescue and harm by clamp, with intervals and p values",
    "split_half.parquet": "the best clamp chosen on half of the prompts, scored on the rest",
}
KEPT_GENERATED = {
    "vectors.npz": "mean MLP post-activation vector of each text",
    "vectors.parquet": "the same as a table",
    "neuron_stats.parquet": "every neuron's statistics over the baseline",
    "neuron_report.md": "neurons that stand out in the baseline",
}
KEPT_CONTROLS = {
    "special.parquet": "each target beside its controls: percentile and p value",
    "controls/controls.parquet": "which neurons and directions the controls are",
    "controls/prompts.parquet": "the prompts that they ran on",
    "controls/generations.parquet": "their texts",
    "controls/text_metrics.parquet": "numbers of each text",
    "controls/recovery.parquet": "flags of each text against its baseline",
    "controls/rates.parquet": "rescue and harm by control and clamp",
}
KEPT_VARIABILITY = {
    "variability.parquet": "collapse of sampled baselines, seed by seed",
    "variability/generations.parquet": "their texts",
}
KEPT_VERIFIED = {
    "verification.md": "the sweep beside published figures, a line for each",
    "verification.parquet": "the same as a table",
}
KEPT_SRM = {
    "srm/srm.md": "spotlight resonance: do groups of texts differ in the plane",
    "srm/groups.parquet": "each group's direction and length in the plane",
    "srm/curves.parquet": "mean projection and counts by angle",
    "srm/differences.parquet": "pairs of groups, with p and q",
}
SRM_FIGURES = ["srm_polar", "srm_difference"]
FIGURES = [
    "improvement_rate",
    "rescue_vs_harm",
    "states",
    "natural_range",
    "text_metrics",
    "first_divergence",
    "controls",
]
LABELLED = "workflow/data/bcr/labelled_texts.jsonl"
DETECTORS = [
    f"results/detectors/{file}"
    for file in (
        "quality.parquet",
        "calibration.parquet",
        "detectors.md",
        "detectors.svg",
        "detectors.png",
    )
]
SCHEMA = Path(workflow.basedir) / "workflow/schemas/config.schema.yaml"
RESULTS = Path("results")


def stop(fault):
    """End Snakemake in one line; in the midst of a run it would not print what it exits with."""
    print(f"error: {fault}", file=sys.stderr)
    sys.exit(1)


def or_stop(function, *arguments):
    """Result of a function; a fault of the user's ends Snakemake in one line."""
    try:
        return function(*arguments)
    except UserError as fault:
        stop(fault)


def config_files():
    """Content of each config file by the name that the user knows, in the order of merging."""
    names = ["config/config.yaml", *map(str, workflow.overwrite_configfiles)]
    here = f"{Path.cwd()}/"
    files = {name.removeprefix(here): configuration.read_yaml(name) for name in names}
    return {**files, "--config": dict(workflow.config_settings.config)}


CONFIG = or_stop(lambda: configuration.parse(config, config_files(), SCHEMA))
GENERATED = [
    name for name in CONFIG.run if isinstance(CONFIG.sweeps[name], configuration.Sweep)
]
IMPORTED = [name for name in CONFIG.run if name not in GENERATED]
DERIVED = [name for main in GENERATED for name in CONFIG.sweeps[main].derived]
VERIFIED = [name for name in CONFIG.run if CONFIG.sweeps[name].reference]
RESONANT = [name for name in GENERATED if CONFIG.sweeps[name].srm]
PLANNER = plan.Planner(RESULTS, CONFIG.compute.combinations_per_batch)


wildcard_constraints:
    sweep="|".join(map(re.escape, [*CONFIG.run, *DERIVED])),
    model="|".join(map(re.escape, CONFIG.models)),
    promptset="|".join(map(re.escape, CONFIG.promptsets)),
    batch="[0-9a-f]{16}",


def prompts_file(name):
    """The file of a sweep's promptset; one with a url is fetched first."""
    spec = CONFIG.sweeps[name].promptset
    if spec.url is None:
        return spec.path
    path = checkpoints.fetch_promptset.get(promptset=spec.name).output[0]
    or_stop(promptset.check_digest, path, spec.sha256)
    return path


@cache
def read_prompts(path, form):
    return or_stop(promptset.read, path, form)


def sweep_prompts(name):
    """Prompts table of a sweep."""
    sweep = CONFIG.sweeps[name]
    found = read_prompts(prompts_file(name), sweep.promptset.format)
    return (
        found if sweep.drawn is None else or_stop(promptset.draw, found, *sweep.drawn)
    )


@cache
def baseline_plan(name):
    """Pinned plan of a sweep's baselines, and the batches that hold them."""
    sweep, prompts = CONFIG.sweeps[name], sweep_prompts(name)
    wanted = plan.baselines(sweep, prompts)
    return or_stop(plan.pin_sweep, PLANNER, f"{name}-baseline", prompts, wanted)


def selection_file(name):
    """Where a sweep's neurons stand that follow from the baseline; makes it if need be."""
    targets = CONFIG.sweeps[name].targets
    if isinstance(targets, configuration.Matched):
        return checkpoints.select_controls.get(sweep=targets.of).output.selected
    return checkpoints.select_neurons.get(sweep=name).output[0]


@cache
def sweep_plan(name):
    """Pinned plan of all rows of a sweep, and the batches that hold them."""
    sweep, prompts = CONFIG.sweeps[name], sweep_prompts(name)
    baseline_plan(name)
    selected = None
    if sweep.needs_statistics:
        selected = or_stop(plan.read_selected, selection_file(name))
    interventions = or_stop(plan.interventions, sweep, prompts, selected)
    wanted = [*plan.baselines(sweep, prompts), *interventions]
    return or_stop(plan.pin_sweep, PLANNER, name, prompts, wanted)


def files_of(batches):
    """Generations and vectors files of batches."""
    pairs = [PLANNER.outputs(batch) for batch in batches]
    return [str(pair[0]) for pair in pairs], [str(pair[1]) for pair in pairs]


@cache
def model_of(batch):
    """Config entry of the model that a pinned batch is for."""
    identity, _ = or_stop(plan.read_batch, RESULTS / "batches" / f"{batch}.json")
    for spec in CONFIG.models.values():
        if or_stop(lambda: spec.identity) == identity:
            return spec
    stop(f"results/batches/{batch}.json: no model in the config has this identity")


def digests(spec):
    """What a model's folder is asked for by: the digests of its files."""
    return f"resources/models/{spec.name}/model.sha256"


def fetched(spec):
    """The same, and what needs it is planned again once it is there."""
    path = checkpoints.fetch_model.get(model=spec.name).output.digests
    or_stop(spec.check_fetched, Path(path).parent)
    return path


def model_memory(wildcards, input, attempt):
    """Megabytes for a job that runs a model: a few times its weights; more at each attempt."""
    weights = Path(input.model).parent.glob("*.safetensors")
    size = sum(path.stat().st_size for path in weights) // 10**6
    return attempt * (4000 + 4 * size)


def table_memory(wildcards, input, attempt):
    """Megabytes for a job that reads large tables; more at each attempt."""
    return attempt * (2000 + 8 * input.size_mb)


# What a cluster is asked for by a job that runs a model; other jobs ask for the profile's defaults.
# A batch that runs out of time goes on where it was at the next attempt.
HEAVY = {
    "gpu": int(CONFIG.compute.device == "cuda"),
    "mem_mb": model_memory,
    "runtime": lambda w, attempt: attempt * 120,  # minutes
}


def selected_of(name):
    """The file of a sweep's selected neurons, if it selects any."""
    selects = isinstance(CONFIG.sweeps[name].targets, configuration.Selection)
    return f"results/{name}/selected.json" if selects else []


def if_kept(file):
    """Input function: a file of the sweep if the sweep has it."""
    return lambda w: f"results/{w.sweep}/{file}" if file in kept(w.sweep) else []


# What figures and reports read of a sweep besides what every sweep has.
BESIDE = {
    "neuron_stats": if_kept("neuron_stats.parquet"),
    "special": if_kept("special.parquet"),
    "controls": if_kept("controls/controls.parquet"),
    "control_recovery": if_kept("controls/recovery.parquet"),
    "control_metrics": if_kept("controls/text_metrics.parquet"),
    "variability": if_kept("variability.parquet"),
    "verification": if_kept("verification.parquet"),
    "detector_quality": "results/detectors/quality.parquet",
}


def kept(name):
    """Files of a sweep in `results/<sweep>/`, with what each is."""
    return {
        **KEPT,
        **(KEPT_GENERATED if name in GENERATED else {}),
        **(KEPT_CONTROLS if f"{name}/controls" in DERIVED else {}),
        **(KEPT_VARIABILITY if f"{name}/variability" in DERIVED else {}),
        **(KEPT_VERIFIED if name in VERIFIED else {}),
        **(KEPT_SRM if name in RESONANT else {}),
    }


def described(name):
    """What the summary lists: the files and figures of a sweep."""
    return {**kept(name), "figures/": "the figures, as SVG and PNG"}


def kept_files(wildcards):
    """All that a run keeps but the batches: models, tables, exports, figures, reports.

    Apart from the batches, because nothing here waits for a checkpoint: what is missing is seen,
    and what can be made is begun, before neurons or controls are chosen.
    """
    wanted = [*DETECTORS]
    for name in CONFIG.run:
        wanted += [f"results/{name}/{file}" for file in kept(name)]
        wanted += expand(
            "results/{sweep}/figures/{figure}.{ext}",
            sweep=name,
            figure=[*FIGURES, *(SRM_FIGURES if name in RESONANT else [])],
            ext=["svg", "png"],
        )
    models = {digests(CONFIG.sweeps[name].model) for name in [*GENERATED, *DERIVED]}
    return [*wanted, *sorted(models)]


def kept_batches(wildcards):
    """The batches that hold the rows of each sweep."""
    ids = {batch for name in [*GENERATED, *DERIVED] for batch in sweep_plan(name)[1]}
    generations, vectors = files_of(sorted(ids))
    return [*generations, *vectors]


# Snakemake goes by the times of files and by records of its own; either may have been lost.
def local_inputs():
    """Files and folders whose times Snakemake looks at."""
    sweeps = [CONFIG.sweeps[name] for name in CONFIG.run]
    named = [spec.path for spec in CONFIG.promptsets.values()]
    named += [one.reference for one in sweeps]
    named += [CONFIG.sweeps[name].extracted for name in IMPORTED]
    folders = ["config", "resources", "results", Path(workflow.basedir) / "workflow"]
    return [*folders, *filter(None, named)]


if workflow.is_main_process and (_moved := clock.set_back(local_inputs())):
    print(
        f"note: the times of {_moved} files lay ahead of the clock; they are now, in their order",
        file=sys.stderr,
    )
_made = [name for name in CONFIG.run if Path(f"results/{name}/rates.parquet").exists()]
if _made and not any(Path(".snakemake").glob("metadata/*")):
    _folders = ", ".join(f"results/{name}" for name in _made)
    print(
        "note: the records in .snakemake are gone, so edits of the config or the code since the "
        f"last run are not seen; if there were any, delete {_folders} and run again",
        file=sys.stderr,
    )


# Only where there are jobs: results on a read-only disk can be looked at.
onstart:
    for folder in ("results", "resources", "logs"):
        or_stop(check_not_read_only, folder)


# Faults in local promptsets show at parse time, before any job.
for _name in [*GENERATED, *DERIVED]:
    if CONFIG.sweeps[_name].promptset.url is None:
        sweep_prompts(_name)
