# Figures and Markdown reports.


rule figures:
    input:
        **BESIDE,
        prompts="results/{sweep}/prompts.parquet",
        generations="results/{sweep}/generations.parquet",
        text_metrics="results/{sweep}/text_metrics.parquet",
        recovery="results/{sweep}/recovery.parquet",
        rates="results/{sweep}/rates.parquet",
        split_half="results/{sweep}/split_half.parquet",
    output:
        [
            report(
                f"results/{{sweep}}/figures/{figure}.svg",
                caption=f"../report/{figure}.rst",
                category="{sweep}",
                labels={"what": figure.replace("_", " "), "kind": "figure"},
            )
            for figure in FIGURES
        ],
        [f"results/{{sweep}}/figures/{figure}.png" for figure in FIGURES],
    log:
        "logs/figures/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(CONFIG.sweeps[w.sweep].detectors),
        title=lambda w: CONFIG.sweeps[w.sweep].title,
        code=code_digest("plots"),
    message:
        "Drawing the figures of {wildcards.sweep}"
    script:
        "../scripts/figures.py"


rule reports:
    input:
        **BESIDE,
        prompts="results/{sweep}/prompts.parquet",
        generations="results/{sweep}/generations.parquet",
        text_metrics="results/{sweep}/text_metrics.parquet",
        recovery="results/{sweep}/recovery.parquet",
        rates="results/{sweep}/rates.parquet",
        split_half="results/{sweep}/split_half.parquet",
    output:
        summary="results/{sweep}/summary.md",
        html=report(
            "results/{sweep}/summary.html",
            caption="../report/summary.rst",
            category="{sweep}",
            labels={"what": "summary", "kind": "text"},
        ),
        improvement=report(
            "results/{sweep}/improvement_report.md",
            caption="../report/improvement_report.rst",
            category="{sweep}",
            labels={"what": "improvement report", "kind": "text"},
        ),
    log:
        "logs/reports/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(CONFIG.sweeps[w.sweep].detectors),
        title=lambda w: CONFIG.sweeps[w.sweep].title,
        files=lambda w: described(w.sweep),
        code=code_digest("report"),
    message:
        "Writing the reports of {wildcards.sweep}"
    script:
        "../scripts/reports.py"


rule neuron_report:
    input:
        stats="results/{sweep}/neuron_stats.parquet",
    output:
        report="results/{sweep}/neuron_report.md",
    log:
        "logs/neuron_report/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("report"),
    message:
        "Listing the candidate neurons of {wildcards.sweep}"
    script:
        "../scripts/neuron_report.py"
