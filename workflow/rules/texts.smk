# Texts as a service, for all studies: prompts, plans, generation in immutable batches, statistics,
# selection, metrics. A request (`TextRequest`) is one table of texts, results/<request>/generations.
# Parameters are what decides a result; resources (threads, device, rows) change none.


checkpoint fetch_promptset:
    output:
        "resources/promptsets/{promptset}",
    log:
        "logs/fetch_promptset/{promptset}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        url=lambda w: CONFIG.promptsets[w.promptset].url,
        sha256=lambda w: CONFIG.promptsets[w.promptset].sha256,
        format=lambda w: CONFIG.promptsets[w.promptset].format,
        template=lambda w: CONFIG.promptsets[w.promptset].template,
        id=lambda w: CONFIG.promptsets[w.promptset].id,
        code=code_of("texts/fetch_promptset"),
    message:
        "Fetching the promptset {wildcards.promptset}"
    script:
        "../scripts/texts/fetch_promptset.py"


rule prompts:
    input:
        promptset=lambda w: prompts_file(REQUESTS[w.request].promptset),
    output:
        prompts="results/{request}/prompts.parquet",
    log:
        "logs/prompts/{request}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        format=lambda w: REQUESTS[w.request].promptset.format,
        template=lambda w: REQUESTS[w.request].promptset.template,
        id=lambda w: REQUESTS[w.request].promptset.id,
        drawn=lambda w: REQUESTS[w.request].drawn,
        code=code_of("texts/prompts"),
    message:
        "Reading the prompts of {wildcards.request}"
    script:
        "../scripts/texts/prompts.py"


rule generate:
    input:
        batch="results/batches/{batch}.json",
        directions=lambda w: directions_of(w.batch),
        model=lambda w: fetched(model_of(w.batch)),
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
        code=code_of("texts/generate"),
    message:
        "Generating batch {wildcards.batch}"
    script:
        "../scripts/texts/generate.py"


rule neuron_stats:
    input:
        plan=lambda w: str(baseline_plan(w.request).path),
        prompts="results/{request}/prompts.parquet",
        generations=lambda w: texts_of(baseline_plan(w.request).batches),
        model=lambda w: fetched(REQUESTS[w.request].model),
    output:
        stats="results/{request}/neuron_stats.parquet",
    log:
        "logs/neuron_stats/{request}.log",
    conda:
        "../../environment.yml"
    threads: CONFIG.compute.threads
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=lambda w: REQUESTS[w.request].model.loading(),
        prompt_format=lambda w: REQUESTS[w.request].prompt_format.as_json(),
        code=code_of("texts/neuron_stats"),
    message:
        "Statistics of every neuron over the baseline of {wildcards.request}"
    script:
        "../scripts/texts/neuron_stats.py"


# A checkpoint that a plan waits for has one output: where Snakemake 9 misses another one, it waits
# for the checkpoint, does not run it, and says that nothing is to be done.
checkpoint select_neurons:
    input:
        stats="results/{request}/neuron_stats.parquet",
    output:
        selected="results/{request}/selected.json",
    log:
        "logs/select_neurons/{request}.log",
    wildcard_constraints:
        request=any_of(
            name
            for name, request in REQUESTS.items()
            if not isinstance(request.targets, Named)
        ),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        neurons=lambda w: REQUESTS[w.request].selection(),
        operation=lambda w: REQUESTS[w.request].operation,
        code=code_of("texts/select_neurons"),
    message:
        "Choosing the neurons of {wildcards.request}"
    script:
        "../scripts/texts/select_neurons.py"


checkpoint find_neurons:
    input:
        roles=lambda w: REQUESTS[w.entry].targets.file,
        stats="results/{entry}/neuron_stats.parquet",
    output:
        selected="results/{entry}/selected.json",
    log:
        "logs/find_neurons/{entry}.log",
    wildcard_constraints:
        entry=any_of(FOUND),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        role=lambda w: REQUESTS[w.entry].targets.role,
        top=lambda w: REQUESTS[w.entry].targets.top,
        operation=lambda w: REQUESTS[w.entry].operation,
        code=code_of("texts/find_neurons"),
    message:
        "Finding the neurons of {wildcards.entry} in {input.roles}"
    script:
        "../scripts/texts/find_neurons.py"


rule gather:
    input:
        plan=lambda w: str(request_plan(w.request).path),
        prompts="results/{request}/prompts.parquet",
        generations=lambda w: texts_of(request_plan(w.request).batches),
        vectors=lambda w: vectors_of(request_plan(w.request).batches),
    output:
        generations="results/{request}/generations.parquet",
        vectors="results/{request}/vectors.parquet",
    log:
        "logs/gather/{request}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=table_memory,
    params:
        model=lambda w: REQUESTS[w.request].model.name,
        texts_code=code_of("texts/generate"),
        code=code_of("texts/gather"),
    message:
        "Gathering the texts of {wildcards.request}"
    script:
        "../scripts/texts/gather.py"


rule text_metrics:
    input:
        generations="results/{texts}/generations.parquet",
    output:
        metrics="results/{texts}/text_metrics.parquet",
    log:
        "logs/text_metrics/{texts}.log",
    group:
        together("scores")
    conda:
        "../../environment.yml"
    params:
        code=code_of("texts/text_metrics"),
    message:
        "Text metrics of {wildcards.texts}"
    script:
        "../scripts/texts/text_metrics.py"


# Removes batches and shards of which neither this run nor a table in results/ has a row:
# `snakemake prune`.
rule prune:
    input:
        plans=lambda w: [str(request_plan(name).path) for name in REQUESTS],
        shards=lambda w: pinned_shards(*WORKS),
    log:
        "logs/prune.log",
    localrule: True
    conda:
        "../../environment.yml"
    message:
        "Removing batches and shards that nothing uses"
    script:
        "../scripts/texts/prune.py"
