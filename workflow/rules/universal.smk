# Universal neurons, for entries of the section `universal`: texts, then a block of rules for each
# slice (docs/universal.md), then what joins them.
include: "universal_inputs.smk"


# ---- what joins the slices


rule universal_report:
    input:
        verdicts=lambda w: universal_parts(w, "verdicts.parquet"),
        ledgers=lambda w: universal_parts(w, "ledger.parquet"),
        sections=lambda w: [
            f"results/{w.entry}/texts/section.md",
            *universal_parts(w, "section.md"),
        ],
    output:
        verdicts="results/{entry}/verdicts.parquet",
        ledger="results/{entry}/ledger.parquet",
        json="results/{entry}/un_summary.json",
        summary="results/{entry}/summary.md",
        html=report(
            "results/{entry}/summary.html",
            caption="../report/universal/summary.rst",
            category="{entry}",
            labels={"what": "summary", "kind": "text"},
        ),
    log:
        "logs/universal_report/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    params:
        slices=lambda w: list(universal_judged(UNIVERSAL[w.entry])),
        title=lambda w: UNIVERSAL[w.entry].title,
        files=lambda w: CONFIG.described(w.entry),
        code=code_of("universal/universal_report"),
    message:
        "Reporting {wildcards.entry}"
    script:
        "../scripts/universal/universal_report.py"
