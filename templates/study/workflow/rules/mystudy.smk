# Length of texts, clamped against baseline, for entries of the section `mystudy`.
from clampsweep.studies.mystudy.study import KEPT as MYSTUDY_KEPT

MYSTUDY = CONFIG.of("mystudy")


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
