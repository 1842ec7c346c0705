# From prompts to the texts of a sweep: generation in immutable batches, statistics, selection.
# Parameters are what decides a result; resources (threads, device, rows) change none. The model is
# ancient: fetched again it is the same, because its identity is part of every key and plan.


rule prompts:
    input:
        promptset=lambda w: prompts_file(w.sweep),
    output:
        prompts="results/{sweep}/prompts.parquet",
    log:
        "logs/prompts/{sweep}.log",
    wildcard_constraints:
        sweep="|".join(map(re.escape, [*GENERATED, *DERIVED])) or "(?!)",
    conda:
        "../../environment.yml"
    params:
        format=lambda w: CONFIG.sweeps[w.sweep].promptset.format,
        drawn=lambda w: CONFIG.sweeps[w.sweep].drawn,
        code=code_digest("promptset", "tables"),
    message:
        "Reading the prompts of {wildcards.sweep}"
    script:
        "../scripts/prompts.py"


rule generate:
    input:
        batch="results/batches/{batch}.json",
        model=lambda w: ancient(fetched(model_of(w.batch))),
    output:
        generations="results/generations/{batch}.parquet",
        vectors="results/vectors/{batch}.parquet",
    log:
        "logs/generate/{batch}.log",
    conda:
        "../../environment.yml"
    threads: CONFIG.compute.threads
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
        rows_per_forward=CONFIG.compute.rows_per_forward,
    params:
        model=lambda w: model_of(w.batch).loading(),
        code=code_digest("sweep"),
    message:
        "Generating batch {wildcards.batch}"
    script:
        "../scripts/generate.py"


rule neuron_stats:
    input:
        plan=lambda w: str(baseline_plan(w.sweep)[0]),
        prompts="results/{sweep}/prompts.parquet",
        generations=lambda w: files_of(baseline_plan(w.sweep)[1])[0],
        model=lambda w: ancient(fetched(CONFIG.sweeps[w.sweep].model)),
    output:
        stats="results/{sweep}/neuron_stats.parquet",
    log:
        "logs/neuron_stats/{sweep}.log",
    conda:
        "../../environment.yml"
    threads: CONFIG.compute.threads
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=lambda w: CONFIG.sweeps[w.sweep].model.loading(),
        code=code_digest("neuron_stats"),
    message:
        "Statistics of every neuron over the baseline of {wildcards.sweep}"
    script:
        "../scripts/neuron_stats.py"


checkpoint select_neurons:
    input:
        stats="results/{sweep}/neuron_stats.parquet",
    output:
        selected="results/{sweep}/selected.json",
    log:
        "logs/select_neurons/{sweep}.log",
    wildcard_constraints:
        sweep="|".join(map(re.escape, GENERATED)) or "(?!)",
    conda:
        "../../environment.yml"
    params:
        neurons=lambda w: CONFIG.sweeps[w.sweep].selection(),
        operation=lambda w: CONFIG.sweeps[w.sweep].operation,
        code=code_digest("neuron_stats"),
    message:
        "Choosing the neurons of {wildcards.sweep}"
    script:
        "../scripts/select_neurons.py"


rule gather:
    input:
        plan=lambda w: str(sweep_plan(w.sweep)[0]),
        prompts="results/{sweep}/prompts.parquet",
        generations=lambda w: files_of(sweep_plan(w.sweep)[1])[0],
        vectors=lambda w: files_of(sweep_plan(w.sweep)[1])[1],
    output:
        generations="results/{sweep}/generations.parquet",
        vectors="results/{sweep}/vectors.parquet",
    log:
        "logs/gather/{sweep}.log",
    wildcard_constraints:
        sweep="|".join(map(re.escape, [*GENERATED, *DERIVED])) or "(?!)",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=table_memory,
    params:
        model=lambda w: CONFIG.sweeps[w.sweep].model.name,
        texts_code=code_digest("sweep"),
        code=code_digest("gather"),
    message:
        "Gathering the texts of {wildcards.sweep}"
    script:
        "../scripts/gather.py"


# Removes batches of which neither this run nor a sweep in results/ has a row: `snakemake prune`.
rule prune:
    input:
        plans=lambda w: [str(sweep_plan(name)[0]) for name in [*GENERATED, *DERIVED]],
    log:
        "logs/prune.log",
    conda:
        "../../environment.yml"
    message:
        "Removing batches that no sweep uses"
    script:
        "../scripts/prune.py"
