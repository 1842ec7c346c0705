# clampsweep: experiments on the neurons of language models, from prompts to report.
# `snakemake -j2` makes what config/config.yaml asks for; `snakemake -n` shows what is stale and why.
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/precheck.smk"


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/sweep.smk"
include: "workflow/rules/bcr.smk"
include: "workflow/rules/controls.smk"
include: "workflow/rules/srm.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


# On the machine that Snakemake runs on: what needs the network, and what takes a moment.
localrules:
    all,
    prune,
    fetch_model,
    fetch_promptset,
    prompts,
    select_neurons,
    choose_controls,
    select_controls,
    neuron_report,


# Every kept intermediate is listed: Snakemake records the parameters of a failed job as done, so a
# file that nothing asks for would stay stale (docs/architecture.md).
rule all:
    default_target: True
    input:
        kept_files,
        kept_batches,


onerror:
    scratch.clear(RESULTS / ".scratch", PLANNER.finished)


onsuccess:
    scratch.clear(RESULTS / ".scratch", PLANNER.finished)
    for name in CONFIG.run:
        if Path(f"results/{name}/summary.md").exists():
            print(
                f"{name}: read results/{name}/summary.md, look at results/{name}/figures/"
            )
