# What all rules share: the config, checked; how a fault ends Snakemake; wildcards; resources.
import re
from pathlib import Path

from clampsweep.config import overlay, parse as configuration
from clampsweep.provenance import script_digest
from clampsweep.strict_yaml import read_arguments

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
    replaced = workflow.config_settings.replace_workflow_config
    names = [] if replaced else [overlay.DEFAULT]
    names += map(str, workflow.overwrite_configfiles)
    here = f"{Path.cwd()}/"
    files = {name.removeprefix(here): read_yaml(name) for name in names}
    return {**files, overlay.ARGUMENTS: read_arguments(workflow.config_settings.config)}


def read_config():
    """The checked config, of the files as clampsweep reads them (Snakemake reads 010 as 8); a note."""
    files = config_files()
    merged, note = overlay.lay_over(files, STUDIES)
    return configuration.parse(merged, files, SCHEMAS, STUDIES), note


SCHEMAS = Path(workflow.basedir) / "workflow/schemas"
CONFIG, NOTE = or_stop(read_config)
REQUESTS = CONFIG.requests()  # the texts that the studies want, by name
KEPT = CONFIG.files  # what the run keeps, relative to results/, and what each is


def any_of(names):
    """Constraint of a wildcard: one of these names, and nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    request=any_of(REQUESTS),
    texts=any_of([*CONFIG.run, *REQUESTS]),
    entry=any_of(CONFIG.run),
    model=any_of(CONFIG.models),
    promptset=any_of(CONFIG.promptsets),
    batch="[0-9a-f]{16}",


def code_of(script):
    """Digest of the library code that a rule's script runs; Snakemake watches the script itself."""
    return script_digest(Path(workflow.basedir) / "workflow/scripts" / f"{script}.py")


def together(name):
    """The group of a rule whose jobs a cluster is sent together; none where jobs run here.

    A function, because Snakemake does not know where jobs will run before it has read the rules.
    With a checkpoint behind a job's input Snakemake 9 counts a group's jobs twice (snakemake#4202):
    no rule whose input follows from one has a group, and no local run has any.
    """
    return lambda wildcards: None if workflow.local_exec else name


def figure_files(study, names):
    """Figures of an entry as outputs, each as SVG, in the report, and as PNG."""
    drawn = []
    for name in names:
        shown = report(
            f"results/{{entry}}/figures/{name}.svg",
            caption=f"../report/{study}/{name}.rst",
            category="{entry}",
            labels={"what": name.replace("_", " "), "kind": "figure"},
        )
        drawn += [shown, f"results/{{entry}}/figures/{name}.png"]
    return drawn


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


def kept_files(wildcards):
    """All that a run keeps but batches and shards: models, tables, exports, figures, reports.

    Apart from these, because nothing here waits for a checkpoint: what is missing is seen,
    and what can be made is begun, before neurons or controls are chosen.
    """
    models = [wanted.model for wanted in (*REQUESTS.values(), *WORKS.values())]
    listed = [spec for spec in CONFIG.models.values() if spec in models]
    folders = {file for spec in listed for file in [digests(spec), *made_folder(spec)]}
    return [*(f"results/{file}" for file in KEPT), *sorted(folders)]


def kept_batches(wildcards):
    """The batches that hold the rows of each request."""
    ids = {batch for name in REQUESTS for batch in request_plan(name).batches}
    return [*texts_of(sorted(ids)), *vectors_of(sorted(ids))]
