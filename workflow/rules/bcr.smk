# Baseline collapse recovery: texts to metrics, flags, rates and the field's export files.


rule import_extracted:
    input:
        tsv=lambda w: CONFIG.sweeps[w.sweep].extracted,
    output:
        prompts="results/{sweep}/prompts.parquet",
        generations="results/{sweep}/generations.parquet",
    log:
        "logs/import_extracted/{sweep}.log",
    wildcard_constraints:
        sweep="|".join(map(re.escape, IMPORTED)) or "(?!)",
    conda:
        "../../environment.yml"
    params:
        target=lambda w: CONFIG.sweeps[w.sweep].target,
        operation=lambda w: CONFIG.sweeps[w.sweep].operation,
        scope=lambda w: CONFIG.sweeps[w.sweep].scope,
        code=code_digest("extracted"),
    message:
        "Importing {input.tsv}"
    script:
        "../scripts/import_extracted.py"


rule text_metrics:
    input:
        generations="results/{sweep}/generations.parquet",
    output:
        metrics="results/{sweep}/text_metrics.parquet",
    log:
        "logs/text_metrics/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("text_metrics", "tables"),
    message:
        "Text metrics of {wildcards.sweep}"
    script:
        "../scripts/text_metrics.py"


rule recovery:
    input:
        generations="results/{sweep}/generations.parquet",
        metrics="results/{sweep}/text_metrics.parquet",
        prompts="results/{sweep}/prompts.parquet",
    output:
        recovery="results/{sweep}/recovery.parquet",
        rates="results/{sweep}/rates.parquet",
    log:
        "logs/recovery/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(CONFIG.sweeps[w.sweep].detectors),
        code=code_digest("recovery", "tables"),
    message:
        "Collapse, recovery and harm in {wildcards.sweep}"
    script:
        "../scripts/recovery.py"


rule detector_quality:
    input:
        texts=LABELLED,
    output:
        quality="results/detectors/quality.parquet",
        calibration="results/detectors/calibration.parquet",
        report=report(
            "results/detectors/detectors.md",
            caption="../report/detectors.rst",
            category="detectors",
            labels={"what": "precision and recall", "kind": "text"},
        ),
    log:
        "logs/detector_quality.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("detector_quality", "detector_report"),
    message:
        "Precision and recall of the collapse detectors on labelled texts"
    script:
        "../scripts/detector_quality.py"


rule detector_figure:
    input:
        quality="results/detectors/quality.parquet",
        calibration="results/detectors/calibration.parquet",
    output:
        svg=report(
            "results/detectors/detectors.svg",
            caption="../report/detectors.rst",
            category="detectors",
            labels={"what": "precision, recall, calibration", "kind": "figure"},
        ),
        png="results/detectors/detectors.png",
    log:
        "logs/detector_figure.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("plots.detectors"),
    message:
        "Drawing precision and recall of the collapse detectors"
    script:
        "../scripts/detector_figure.py"


rule verify:
    input:
        recovery="results/{sweep}/recovery.parquet",
        rates="results/{sweep}/rates.parquet",
        reference=lambda w: CONFIG.sweeps[w.sweep].reference,
    output:
        table="results/{sweep}/verification.parquet",
        report=report(
            "results/{sweep}/verification.md",
            caption="../report/verification.rst",
            category="{sweep}",
            labels={"what": "check against published figures", "kind": "text"},
        ),
    log:
        "logs/verify/{sweep}.log",
    wildcard_constraints:
        sweep="|".join(map(re.escape, VERIFIED)) or "(?!)",
    conda:
        "../../environment.yml"
    params:
        title=lambda w: CONFIG.sweeps[w.sweep].title,
        code=code_digest("verification_report", "tables"),
    message:
        "Comparing {wildcards.sweep} with published figures"
    script:
        "../scripts/verify.py"


rule export:
    input:
        prompts="results/{sweep}/prompts.parquet",
        generations="results/{sweep}/generations.parquet",
        metrics="results/{sweep}/text_metrics.parquet",
        recovery="results/{sweep}/recovery.parquet",
    output:
        metrics="results/{sweep}/metrics.csv",
        extracted="results/{sweep}/extracted.tsv",
    log:
        "logs/export/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("extracted"),
    message:
        "Writing metrics.csv and extracted.tsv of {wildcards.sweep}"
    script:
        "../scripts/export.py"


rule export_vectors:
    input:
        vectors="results/{sweep}/vectors.parquet",
    output:
        npz="results/{sweep}/vectors.npz",
    log:
        "logs/export_vectors/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("extracted"),
    message:
        "Writing vectors.npz of {wildcards.sweep}"
    script:
        "../scripts/export_vectors.py"
