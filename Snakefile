# clampsweep: experiments on the neurons of language models, from prompts to report.
# `snakemake -j2` makes what config/config.yaml asks for; `snakemake -n` shows what is stale and why.
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/precheck.smk"


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/guards.smk"
include: "workflow/rules/plans.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/texts.smk"
include: "workflow/rules/shards.smk"


for _study in STUDIES:

    include: f"workflow/rules/{_study.name}.smk"


include: "workflow/rules/forecast.smk"


report: "workflow/report/workflow.rst"


# Every kept intermediate is listed: Snakemake records the parameters of a failed job as done, so a
# file that nothing asks for would stay stale (docs/architecture.md).
rule all:
    default_target: True
    input:
        kept_files,
        kept_batches,
        kept_shards,


onerror:
    end_run()
    scratch.clear(RESULTS / ".scratch", is_done)


onsuccess:
    end_run()
    scratch.clear(RESULTS / ".scratch", is_done)
    for name in CONFIG.run:
        if Path(f"results/{name}/summary.md").exists():
            print(
                f"{name}: read results/{name}/summary.md, look at results/{name}/figures/"
            )
