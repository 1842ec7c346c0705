# Length of texts, clamped against baseline, for entries of the section `mystudy`; losses of prompts.
from clampsweep.studies.mystudy.study import KEPT as MYSTUDY_KEPT

MYSTUDY = CONFIG.of("mystudy")


# Makes a shard of losses; `gather_shards` joins them to results/{entry}/losses.parquet.
rule mystudy_losses:
    input:
        shard="results/shards/mystudy_losses/{shard}.json",
        model=shard_model,
    output:
        table="results/shards/mystudy_losses/{shard}.parquet",
    log:
        "logs/mystudy_losses/{shard}.log",
    conda:
        "../../environment.yml"
    threads: CONFIG.compute.threads
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=shard_loading,
        code=code_of("mystudy/mystudy_losses"),
    message:
        "Losses of shard {wildcards.shard}"
    script:
        "../scripts/mystudy/mystudy_losses.py"


rule mystudy_lengths:
    input:
        generations="results/{entry}/generations.parquet",
        prompts="results/{entry}/prompts.parquet",
    output:
        lengths="results/{entry}/lengths.parquet",
        verdicts="results/{entry}/verdicts.parquet",
        ledger="results/{entry}/ledger.parquet",
    log:
        "logs/mystudy_lengths/{entry}.log",
    wildcard_constraints:
        entry=any_of(MYSTUDY),
    group:
        together("mystudy")
    conda:
        "../../environment.yml"
    params:
        code=code_of("mystudy/mystudy_lengths"),
    message:
        "Comparing the lengths of the texts of {wildcards.entry}"
    script:
        "../scripts/mystudy/mystudy_lengths.py"


rule mystudy_report:
    input:
        verdicts="results/{entry}/verdicts.parquet",
        losses="results/{entry}/losses.parquet",
        ledger="results/{entry}/ledger.parquet",
    output:
        figure_files("mystudy", ["length"]),
        summary="results/{entry}/summary.md",
        html=report(
            "results/{entry}/summary.html",
            caption="../report/mystudy/summary.rst",
            category="{entry}",
            labels={"what": "summary", "kind": "text"},
        ),
    log:
        "logs/mystudy_report/{entry}.log",
    wildcard_constraints:
        entry=any_of(MYSTUDY),
    group:
        together("mystudy")
    conda:
        "../../environment.yml"
    params:
        title=lambda w: MYSTUDY[w.entry].title,
        files=MYSTUDY_KEPT,
        code=code_of("mystudy/mystudy_report"),
    message:
        "Drawing and reporting the lengths of {wildcards.entry}"
    script:
        "../scripts/mystudy/mystudy_report.py"
