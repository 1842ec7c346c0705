# Baseline collapse recovery: texts to metrics, flags, rates, verdicts, figures and reports, and the
# field's export files; and what an entry is compared with: controls, sampled baselines, baselines in
# the chat format, halves of the prompts. Their texts are requests of their own: `<entry>/controls`,
# `<entry>/variability`, `<entry>/chat`.
from clampsweep.studies.bcr import study as bcr
from clampsweep.studies.bcr.files import FIGURES as BCR_FIGURES

BCR = CONFIG.of("bcr")
IMPORTED = [name for name in BCR if name not in REQUESTS]
BCR_TEXTS = [name for name in [*BCR, *REQUESTS] if name.partition("/")[0] in BCR]


rule import_extracted:
    input:
        tsv=lambda w: BCR[w.entry].texts.extracted,
    output:
        prompts="results/{entry}/prompts.parquet",
        generations="results/{entry}/generations.parquet",
    log:
        "logs/import_extracted/{entry}.log",
    wildcard_constraints:
        entry=any_of(IMPORTED),
    group:
        together("scores")
    conda:
        "../../environment.yml"
    params:
        target=lambda w: BCR[w.entry].texts.target,
        operation=lambda w: BCR[w.entry].texts.operation,
        scope=lambda w: BCR[w.entry].texts.scope,
        code=code_of("bcr/import_extracted"),
    message:
        "Importing {input.tsv}"
    script:
        "../scripts/bcr/import_extracted.py"


rule recovery:
    input:
        generations="results/{texts}/generations.parquet",
        metrics="results/{texts}/text_metrics.parquet",
        prompts="results/{texts}/prompts.parquet",
    output:
        recovery="results/{texts}/recovery.parquet",
        rates="results/{texts}/rates.parquet",
    log:
        "logs/recovery/{texts}.log",
    wildcard_constraints:
        texts=any_of(BCR_TEXTS),
    group:
        together("scores")
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(BCR[w.texts.partition("/")[0]].detectors),
        code=code_of("bcr/recovery"),
    message:
        "Collapse, recovery and harm in {wildcards.texts}"
    script:
        "../scripts/bcr/recovery.py"


rule split_half:
    input:
        recovery="results/{entry}/recovery.parquet",
        prompts="results/{entry}/prompts.parquet",
    output:
        split_half="results/{entry}/split_half.parquet",
    log:
        "logs/split_half/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    group:
        together("tables")
    conda:
        "../../environment.yml"
    params:
        code=code_of("bcr/split_half"),
    message:
        "Choosing the best clamp of {wildcards.entry} on half of the prompts"
    script:
        "../scripts/bcr/split_half.py"


rule choose_controls:
    input:
        stats="results/{entry}/neuron_stats.parquet",
        selected=lambda w: bcr.selection_input(BCR[w.entry]),
    output:
        controls="results/{entry}/controls/controls.parquet",
    log:
        "logs/choose_controls/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        targets=lambda w: BCR[w.entry].texts.selection(),
        number=lambda w: BCR[w.entry].controls.count,
        seed=lambda w: BCR[w.entry].controls.seed,
        matching=lambda w: BCR[w.entry].controls.matching,
        code=code_of("bcr/choose_controls"),
    message:
        "Choosing the controls of {wildcards.entry}"
    script:
        "../scripts/bcr/choose_controls.py"


rule best_clamps:
    input:
        recovery="results/{entry}/recovery.parquet",
        control_prompts="results/{entry}/controls/prompts.parquet",
    output:
        best_clamps="results/{entry}/controls/best_clamps.parquet",
    log:
        "logs/best_clamps/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_of("bcr/best_clamps"),
    message:
        "Choosing the clamps of {wildcards.entry} that its controls run at"
    script:
        "../scripts/bcr/best_clamps.py"


# Apart from the rules above, because a checkpoint has one output, for the reason said at select_neurons.
checkpoint select_controls:
    input:
        controls="results/{entry}/controls/controls.parquet",
        stats="results/{entry}/neuron_stats.parquet",
        best_clamps="results/{entry}/controls/best_clamps.parquet",
    output:
        selected="results/{entry}/controls/selected.json",
    log:
        "logs/select_controls/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        operation=lambda w: BCR[w.entry].texts.operation,
        values_of_all=lambda w: BCR[w.entry].controls.values,
        best_clamp=lambda w: BCR[w.entry].controls.best_clamp,
        code=code_of("bcr/select_controls"),
    message:
        "Naming the controls of {wildcards.entry}"
    script:
        "../scripts/bcr/select_controls.py"


rule special:
    input:
        recovery="results/{entry}/recovery.parquet",
        control_recovery="results/{entry}/controls/recovery.parquet",
        controls="results/{entry}/controls/controls.parquet",
    output:
        special="results/{entry}/special.parquet",
    log:
        "logs/special/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    group:
        together("tables")
    conda:
        "../../environment.yml"
    params:
        code=code_of("bcr/special"),
    message:
        "Comparing {wildcards.entry} with its controls"
    script:
        "../scripts/bcr/special.py"


rule variability:
    input:
        generations="results/{entry}/generations.parquet",
        samples="results/{entry}/variability/generations.parquet",
    output:
        variability="results/{entry}/variability.parquet",
    log:
        "logs/variability/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    group:
        together("tables")
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(BCR[w.entry].detectors),
        code=code_of("bcr/variability"),
    message:
        "How much the baselines of {wildcards.entry} vary"
    script:
        "../scripts/bcr/variability.py"


rule chat_baselines:
    input:
        generations="results/{entry}/generations.parquet",
        chats="results/{entry}/chat/generations.parquet",
        prompts="results/{entry}/prompts.parquet",
    output:
        chat_baselines="results/{entry}/chat_baselines.parquet",
    log:
        "logs/chat_baselines/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    group:
        together("tables")
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(BCR[w.entry].detectors),
        code=code_of("bcr/chat_baselines"),
    message:
        "The baselines of {wildcards.entry} in the chat format"
    script:
        "../scripts/bcr/chat_baselines.py"


rule bcr_verdicts:
    input:
        unpack(lambda w: bcr.table_inputs(BCR[w.entry], but=("verdicts", "ledger"))),
    output:
        verdicts="results/{entry}/verdicts.parquet",
        ledger="results/{entry}/ledger.parquet",
    log:
        "logs/bcr_verdicts/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    group:
        together("tables")
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(BCR[w.entry].detectors),
        unlike=lambda w: BCR[w.entry].unlike_labelled,
        code=code_of("bcr/bcr_verdicts"),
    message:
        "Verdicts on {wildcards.entry}"
    script:
        "../scripts/bcr/bcr_verdicts.py"


rule detector_quality:
    input:
        texts="workflow/data/bcr/labelled_texts.jsonl",
    output:
        quality="results/detectors/quality.parquet",
        calibration="results/detectors/calibration.parquet",
        report=report(
            "results/detectors/detectors.md",
            caption="../report/bcr/detectors.rst",
            category="detectors",
            labels={"what": "precision and recall", "kind": "text"},
        ),
    log:
        "logs/detector_quality.log",
    group:
        together("detectors")
    conda:
        "../../environment.yml"
    params:
        code=code_of("bcr/detector_quality"),
    message:
        "Precision and recall of the collapse detectors on labelled texts"
    script:
        "../scripts/bcr/detector_quality.py"


rule detector_figure:
    input:
        quality="results/detectors/quality.parquet",
        calibration="results/detectors/calibration.parquet",
    output:
        svg=report(
            "results/detectors/detectors.svg",
            caption="../report/bcr/detectors.rst",
            category="detectors",
            labels={"what": "precision, recall, calibration", "kind": "figure"},
        ),
        png="results/detectors/detectors.png",
    log:
        "logs/detector_figure.log",
    group:
        together("detectors")
    conda:
        "../../environment.yml"
    params:
        code=code_of("bcr/detector_figure"),
    message:
        "Drawing precision and recall of the collapse detectors"
    script:
        "../scripts/bcr/detector_figure.py"


rule verify:
    input:
        recovery="results/{entry}/recovery.parquet",
        rates="results/{entry}/rates.parquet",
        reference=lambda w: BCR[w.entry].reference,
    output:
        table="results/{entry}/verification.parquet",
        report=report(
            "results/{entry}/verification.md",
            caption="../report/bcr/verification.rst",
            category="{entry}",
            labels={"what": "check against published figures", "kind": "text"},
        ),
    log:
        "logs/verify/{entry}.log",
    wildcard_constraints:
        entry=any_of(name for name, entry in BCR.items() if entry.reference),
    group:
        together("tables")
    conda:
        "../../environment.yml"
    params:
        title=lambda w: BCR[w.entry].title,
        code=code_of("bcr/verify"),
    message:
        "Comparing {wildcards.entry} with published figures"
    script:
        "../scripts/bcr/verify.py"


rule export:
    input:
        prompts="results/{entry}/prompts.parquet",
        generations="results/{entry}/generations.parquet",
        metrics="results/{entry}/text_metrics.parquet",
        recovery="results/{entry}/recovery.parquet",
    output:
        metrics="results/{entry}/metrics.csv",
        extracted="results/{entry}/extracted.tsv",
    log:
        "logs/export/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    group:
        together("tables")
    conda:
        "../../environment.yml"
    params:
        code=code_of("bcr/export"),
    message:
        "Writing metrics.csv and extracted.tsv of {wildcards.entry}"
    script:
        "../scripts/bcr/export.py"


rule export_vectors:
    input:
        vectors="results/{entry}/vectors.parquet",
    output:
        npz="results/{entry}/vectors.npz",
    log:
        "logs/export_vectors/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    conda:
        "../../environment.yml"
    params:
        code=code_of("bcr/export_vectors"),
    message:
        "Writing vectors.npz of {wildcards.entry}"
    script:
        "../scripts/bcr/export_vectors.py"


rule figures:
    input:
        unpack(lambda w: bcr.table_inputs(BCR[w.entry])),
    output:
        figure_files("bcr", BCR_FIGURES),
    log:
        "logs/figures/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    group:
        together("tables")
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(BCR[w.entry].detectors),
        title=lambda w: BCR[w.entry].title,
        code=code_of("bcr/figures"),
    message:
        "Drawing the figures of {wildcards.entry}"
    script:
        "../scripts/bcr/figures.py"


rule reports:
    input:
        unpack(lambda w: bcr.table_inputs(BCR[w.entry])),
    output:
        summary="results/{entry}/summary.md",
        html=report(
            "results/{entry}/summary.html",
            caption="../report/bcr/summary.rst",
            category="{entry}",
            labels={"what": "summary", "kind": "text"},
        ),
        improvement=report(
            "results/{entry}/improvement_report.md",
            caption="../report/bcr/improvement_report.rst",
            category="{entry}",
            labels={"what": "improvement report", "kind": "text"},
        ),
    log:
        "logs/reports/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    group:
        together("tables")
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(BCR[w.entry].detectors),
        title=lambda w: BCR[w.entry].title,
        files=lambda w: CONFIG.described(w.entry),
        unlike=lambda w: BCR[w.entry].unlike_labelled,
        code=code_of("bcr/reports"),
    message:
        "Writing the reports of {wildcards.entry}"
    script:
        "../scripts/bcr/reports.py"


rule neuron_report:
    input:
        stats="results/{entry}/neuron_stats.parquet",
    output:
        report="results/{entry}/neuron_report.md",
    log:
        "logs/neuron_report/{entry}.log",
    wildcard_constraints:
        entry=any_of(BCR),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_of("bcr/neuron_report"),
    message:
        "Listing the candidate neurons of {wildcards.entry}"
    script:
        "../scripts/bcr/neuron_report.py"
