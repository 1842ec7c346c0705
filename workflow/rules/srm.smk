# Spotlight resonance mapping: the texts' vectors in a plane, for sweeps that have the key `srm`.
from clampsweep.srm_config import check_prompts

for _name in RESONANT:
    if CONFIG.sweeps[_name].promptset.url is None:
        or_stop(check_prompts, CONFIG.sweeps[_name].srm, sweep_prompts(_name))


rule srm:
    input:
        vectors="results/{sweep}/vectors.parquet",
        prompts="results/{sweep}/prompts.parquet",
    output:
        groups="results/{sweep}/srm/groups.parquet",
        curves="results/{sweep}/srm/curves.parquet",
        differences="results/{sweep}/srm/differences.parquet",
    log:
        "logs/srm/{sweep}.log",
    wildcard_constraints:
        sweep="|".join(map(re.escape, RESONANT)) or "(?!)",
    conda:
        "../../environment.yml"
    params:
        srm=lambda w: CONFIG.sweeps[w.sweep].srm.as_parameter(w.sweep),
        code=code_digest("srm"),
    message:
        "Spotlight resonance of {wildcards.sweep}"
    script:
        "../scripts/srm.py"


rule srm_report:
    input:
        groups="results/{sweep}/srm/groups.parquet",
        curves="results/{sweep}/srm/curves.parquet",
        differences="results/{sweep}/srm/differences.parquet",
    output:
        [
            report(
                f"results/{{sweep}}/figures/{figure}.svg",
                caption=f"../report/{figure}.rst",
                category="{sweep}",
                labels={"what": figure.replace("_", " "), "kind": "figure"},
            )
            for figure in SRM_FIGURES
        ],
        [f"results/{{sweep}}/figures/{figure}.png" for figure in SRM_FIGURES],
        text=report(
            "results/{sweep}/srm/srm.md",
            caption="../report/srm.rst",
            category="{sweep}",
            labels={"what": "spotlight resonance", "kind": "text"},
        ),
    log:
        "logs/srm_report/{sweep}.log",
    wildcard_constraints:
        sweep="|".join(map(re.escape, RESONANT)) or "(?!)",
    conda:
        "../../environment.yml"
    params:
        srm=lambda w: CONFIG.sweeps[w.sweep].srm.as_parameter(w.sweep),
        title=lambda w: f"{CONFIG.sweeps[w.sweep].title}; {CONFIG.sweeps[w.sweep].srm.title}",
        code=code_digest("srm_report", "plots.srm"),
    message:
        "Drawing and reporting the spotlight resonance of {wildcards.sweep}"
    script:
        "../scripts/srm_report.py"
