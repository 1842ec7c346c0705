# What a sweep is compared with: controls, sampled baselines, the other half of the prompts. Controls
# and sampled baselines are sweeps of their own, `<sweep>/controls` and `<sweep>/variability`.


rule choose_controls:
    input:
        stats="results/{sweep}/neuron_stats.parquet",
        selected=lambda w: selected_of(w.sweep),
    output:
        controls="results/{sweep}/controls/controls.parquet",
    log:
        "logs/choose_controls/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        targets=lambda w: CONFIG.sweeps[w.sweep].selection(),
        number=lambda w: CONFIG.sweeps[w.sweep].controls.count,
        seed=lambda w: CONFIG.sweeps[w.sweep].controls.seed,
        matching=lambda w: CONFIG.sweeps[w.sweep].controls.matching,
        code=code_digest("controls"),
    message:
        "Choosing the controls of {wildcards.sweep}"
    script:
        "../scripts/choose_controls.py"


# Apart from the rule above, because a checkpoint has one output: where Snakemake 9 misses another
# one, it waits for the checkpoint, does not run it, and says that nothing is to be done.
checkpoint select_controls:
    input:
        controls="results/{sweep}/controls/controls.parquet",
        stats="results/{sweep}/neuron_stats.parquet",
    output:
        selected="results/{sweep}/controls/selected.json",
    log:
        "logs/select_controls/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        operation=lambda w: CONFIG.sweeps[w.sweep].operation,
        code=code_digest("controls"),
    message:
        "Naming the controls of {wildcards.sweep}"
    script:
        "../scripts/select_controls.py"


rule special:
    input:
        recovery="results/{sweep}/recovery.parquet",
        control_recovery="results/{sweep}/controls/recovery.parquet",
        controls="results/{sweep}/controls/controls.parquet",
    output:
        special="results/{sweep}/special.parquet",
    log:
        "logs/special/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("special", "tables"),
    message:
        "Comparing {wildcards.sweep} with its controls"
    script:
        "../scripts/special.py"


rule variability:
    input:
        generations="results/{sweep}/generations.parquet",
        samples="results/{sweep}/variability/generations.parquet",
    output:
        variability="results/{sweep}/variability.parquet",
    log:
        "logs/variability/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        detectors=lambda w: list(CONFIG.sweeps[w.sweep].detectors),
        code=code_digest("variability", "tables"),
    message:
        "How much the baselines of {wildcards.sweep} vary"
    script:
        "../scripts/variability.py"


rule split_half:
    input:
        recovery="results/{sweep}/recovery.parquet",
        prompts="results/{sweep}/prompts.parquet",
    output:
        split_half="results/{sweep}/split_half.parquet",
    log:
        "logs/split_half/{sweep}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_digest("split_half", "tables"),
    message:
        "Choosing the best clamp of {wildcards.sweep} on half of the prompts"
    script:
        "../scripts/split_half.py"
