# The config, checked, and what follows from it: prompts, plans, batches. No rules, no torch.
import json
import re
from functools import cache
from pathlib import Path

from clampsweep import plan, promptset
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
}
KEPT_GENERATED = {
    "vectors.npz": "mean MLP post-activation vector of each text",
    "vectors.parquet": "the same as a table",
    "neuron_stats.parquet": "every neuron's statistics over the baseline",
    "neuron_report.md": "neurons that stand out in the baseline",
}
FIGURES = [
    "improvement_rate",
    "rescue_vs_harm",
    "states",
    "natural_range",
    "text_metrics",
    "first_divergence",
]
SCHEMA = Path(workflow.basedir) / "workflow/schemas/config.schema.yaml"
RESULTS = Path("results")


def or_stop(function, *arguments):
    """Result of a function; a fault of the user's ends Snakemake in one line."""
    try:
        return function(*arguments)
    except UserError as fault:
        sys.exit(f"error: {fault}")


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
PLANNER = plan.Planner(RESULTS, CONFIG.compute.combinations_per_batch)


wildcard_constraints:
    sweep="|".join(map(re.escape, CONFIG.run)),
    model="|".join(map(re.escape, CONFIG.models)),
    promptset="|".join(map(re.escape, CONFIG.promptsets)),
    batch="[0-9a-f]{16}",


def prompts_file(name):
    """The file of a sweep's promptset; one with a url is fetched first."""
    spec = CONFIG.sweeps[name].promptset
    if spec.url is None:
        return spec.path
    return checkpoints.fetch_promptset.get(promptset=spec.name).output[0]


@cache
def read_prompts(path, form):
    return or_stop(promptset.read, path, form)


def sweep_prompts(name):
    """Prompts table of a sweep."""
    return read_prompts(prompts_file(name), CONFIG.sweeps[name].promptset.format)


@cache
def baseline_plan(name):
    """Pinned plan of a sweep's baselines, and the batches that hold them."""
    sweep, prompts = CONFIG.sweeps[name], sweep_prompts(name)
    wanted = plan.baselines(sweep, prompts)
    return or_stop(plan.pin_sweep, PLANNER, f"{name}-baseline", prompts, wanted)


@cache
def sweep_plan(name):
    """Pinned plan of all rows of a sweep, and the batches that hold them."""
    sweep, prompts = CONFIG.sweeps[name], sweep_prompts(name)
    baseline_plan(name)
    selected = None
    if sweep.needs_statistics:
        chosen = json.loads(
            Path(checkpoints.select_neurons.get(sweep=name).output[0]).read_text()
        )
        selected = plan.Selected(tuple(chosen["targets"]), tuple(chosen["means"]))
    interventions = or_stop(plan.interventions, sweep, prompts, selected)
    wanted = [*plan.baselines(sweep, prompts), *interventions]
    return or_stop(plan.pin_sweep, PLANNER, name, prompts, wanted)


def files_of(batches):
    """Generations and vectors files of batches."""
    pairs = [PLANNER.outputs(batch) for batch in batches]
    return [str(pair[0]) for pair in pairs], [str(pair[1]) for pair in pairs]


def model_of(batch):
    """Config entry of the model that a pinned batch is for."""
    identity, _ = or_stop(plan.read_batch, RESULTS / "batches" / f"{batch}.json")
    for spec in CONFIG.models.values():
        if or_stop(lambda: spec.identity) == identity:
            return spec
    sys.exit(
        f"error: results/batches/{batch}.json: no model in the config has this identity"
    )


def digests(spec):
    """What a model's folder is asked for by: the digests of its files."""
    return f"resources/models/{spec.name}/model.sha256"


def stats_of(wildcards):
    """The neuron statistics of a sweep, which an imported one does not have."""
    return (
        f"results/{wildcards.sweep}/neuron_stats.parquet"
        if wildcards.sweep in GENERATED
        else []
    )


def kept(name):
    """Files of a sweep in `results/<sweep>/`, with what each is."""
    return {**KEPT, **(KEPT_GENERATED if name in GENERATED else {})}


def described(name):
    """What the summary lists: the files and figures of a sweep."""
    return {**kept(name), "figures/": "the figures, as SVG and PNG"}


def everything(wildcards):
    """All that a run keeps: the tables, exports, figures and reports of each sweep, the batches."""
    wanted = []
    for name in CONFIG.run:
        wanted += [f"results/{name}/{file}" for file in kept(name)]
        wanted += expand(
            "results/{sweep}/figures/{figure}.{ext}",
            sweep=name,
            figure=FIGURES,
            ext=["svg", "png"],
        )
    for name in GENERATED:
        wanted.append(digests(CONFIG.sweeps[name].model))
        for files in files_of(sweep_plan(name)[1]):
            wanted += files
    return wanted


# Faults in local promptsets show at parse time, before any job.
for _name in GENERATED:
    if CONFIG.sweeps[_name].promptset.url is None:
        sweep_prompts(_name)
