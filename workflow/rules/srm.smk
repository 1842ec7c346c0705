# Spotlight resonance mapping: the texts' vectors in a plane, for entries that have the key `srm`.
from clampsweep.studies.srm.plane import check_prompts
from clampsweep.studies.srm.study import FIGURES as SRM_FIGURES

SRM = CONFIG.of("srm")

for _name, _entry in SRM.items():
    if _entry.texts.promptset.url is None:
        or_stop(check_prompts, _entry.plane, request_prompts(_name))


rule srm:
    input:
        vectors="results/{entry}/vectors.parquet",
        prompts="results/{entry}/prompts.parquet",
    output:
        groups="results/{entry}/srm/groups.parquet",
        curves="results/{entry}/srm/curves.parquet",
        differences="results/{entry}/srm/differences.parquet",
        verdicts="results/{entry}/srm/verdicts.parquet",
        ledger="results/{entry}/srm/ledger.parquet",
    log:
        "logs/srm/{entry}.log",
    wildcard_constraints:
        entry=any_of(SRM),
    group:
        together("resonance")
    conda:
        "../../environment.yml"
    params:
        srm=lambda w: SRM[w.entry].plane.as_parameter(w.entry),
        code=code_of("srm/srm"),
    message:
        "Spotlight resonance of {wildcards.entry}"
    script:
        "../scripts/srm/srm.py"


rule srm_report:
    input:
        groups="results/{entry}/srm/groups.parquet",
        curves="results/{entry}/srm/curves.parquet",
        differences="results/{entry}/srm/differences.parquet",
        verdicts="results/{entry}/srm/verdicts.parquet",
        ledger="results/{entry}/srm/ledger.parquet",
    output:
        figure_files("srm", SRM_FIGURES),
        text=report(
            "results/{entry}/srm/srm.md",
            caption="../report/srm/srm.rst",
            category="{entry}",
            labels={"what": "spotlight resonance", "kind": "text"},
        ),
    log:
        "logs/srm_report/{entry}.log",
    wildcard_constraints:
        entry=any_of(SRM),
    group:
        together("resonance")
    conda:
        "../../environment.yml"
    params:
        srm=lambda w: SRM[w.entry].plane.as_parameter(w.entry),
        title=lambda w: SRM[w.entry].title,
        code=code_of("srm/srm_report"),
    message:
        "Drawing and reporting the spotlight resonance of {wildcards.entry}"
    script:
        "../scripts/srm/srm_report.py"
