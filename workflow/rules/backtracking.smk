# Backtracking neurons, for entries of the section `backtracking`.
include: "backtracking_inputs.smk"


rule backtracking_written:
    input:
        templates=lambda w: BACKTRACKING[w.entry].written.file,
    output:
        written="results/{entry}/written.parquet",
        steps="results/{entry}/steps.parquet",
    log:
        "logs/backtracking_written/{entry}.log",
    wildcard_constraints:
        entry=any_of(name for name, entry in BACKTRACKING.items() if entry.written),
    conda:
        "../../environment.yml"
    params:
        seed=lambda w: BACKTRACKING[w.entry].seed,
        per_split=lambda w: BACKTRACKING[w.entry].written.per_split,
        code=code_of("backtracking/backtracking_written"),
    message:
        "Writing the traces of {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_written.py"


rule backtracking_traces:
    input:
        unpack(backtracking_sources),
        model=lambda w: fetched(BACKTRACKING[w.entry].model),
    output:
        traces="results/{entry}/traces.parquet",
    log:
        "logs/backtracking_traces/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
    conda:
        "../../environment.yml"
    threads: CONFIG.compute.threads
    resources:
        mem_mb=4000,
    params:
        chains=lambda w: [chain.name for chain in BACKTRACKING[w.entry].chains],
        formats=lambda w: BACKTRACKING[w.entry].formats(),
        prepend_bos=lambda w: BACKTRACKING[w.entry].model.prepend_bos,
        model=lambda w: BACKTRACKING[w.entry].model.name,
        code=code_of("backtracking/backtracking_traces"),
    message:
        "Reading the traces of {wildcards.entry}, and checking their answers"
    script:
        "../scripts/backtracking/backtracking_traces.py"


rule backtracking_events:
    input:
        unpack(backtracking_steps),
        traces="results/{entry}/traces.parquet",
        rules=lambda w: BACKTRACKING[w.entry].rules,
        sentences=lambda w: BACKTRACKING[w.entry].sentences,
    output:
        events="results/{entry}/events.parquet",
        rates="results/{entry}/rates.parquet",
        detector="results/{entry}/detector.parquet",
    log:
        "logs/backtracking_events/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
    conda:
        "../../environment.yml"
    params:
        code=code_of("backtracking/backtracking_events"),
    message:
        "Finding the events of {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_events.py"


rule backtracking_samples:
    input:
        traces="results/{entry}/traces.parquet",
        events="results/{entry}/events.parquet",
    output:
        samples="results/{entry}/samples.parquet",
    log:
        "logs/backtracking_samples/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
    conda:
        "../../environment.yml"
    params:
        contrasts=lambda w: list(BACKTRACKING[w.entry].contrasts),
        controls=lambda w: BACKTRACKING[w.entry].ranking.controls,
        seed=lambda w: BACKTRACKING[w.entry].seed,
        code=code_of("backtracking/backtracking_samples"),
    message:
        "Choosing events and controls of {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_samples.py"


checkpoint backtracking_places:
    input:
        samples="results/{entry}/samples.parquet",
        traces="results/{entry}/traces.parquet",
    output:
        listed="results/{entry}/places.json",
    log:
        "logs/backtracking_places/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_of("backtracking/backtracking_places"),
    message:
        "Listing the places of {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_places.py"


# Makes a shard of activations, which is read where it stands: joined, they are gigabytes.
rule backtracking_activations:
    input:
        shard="results/shards/backtracking_activations/{shard}.json",
        model=shard_model,
    output:
        table="results/shards/backtracking_activations/{shard}.parquet",
    log:
        "logs/backtracking_activations/{shard}.log",
    conda:
        "../../environment.yml"
    threads: 1  # a second one gains little; another shard gains more
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=shard_loading,
        code=code_of("backtracking/backtracking_activations"),
    message:
        "Activations of every neuron, shard {wildcards.shard}"
    script:
        "../scripts/backtracking/backtracking_activations.py"


rule backtracking_ranking:
    input:
        samples="results/{entry}/samples.parquet",
        plan=lambda w: str(work_plan(f"{w.entry}/activations").path),
        shards=lambda w: shards_of(f"{w.entry}/activations"),
    output:
        neurons="results/{entry}/{contrast}/neurons.parquet",
        heldout="results/{entry}/{contrast}/heldout.parquet",
        directions="results/{entry}/{contrast}/directions.parquet",
    log:
        "logs/backtracking_ranking/{entry}/{contrast}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
        contrast=any_of(BACKTRACKING_CONTRASTS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=table_memory,
    params:
        ranking=lambda w: backtracking_ranking(BACKTRACKING[w.entry]),
        d_mlp=lambda w: BACKTRACKING[w.entry].model.d_mlp,
        n_layers=lambda w: BACKTRACKING[w.entry].model.n_layers,
        shards_code=rules.backtracking_activations.params.code,
        code=code_of("backtracking/backtracking_ranking"),
    message:
        "Ranking every neuron of {wildcards.entry}, {wildcards.contrast}"
    script:
        "../scripts/backtracking/backtracking_ranking.py"


rule backtracking_sets:
    input:
        neurons="results/{entry}/{contrast}/neurons.parquet",
        model=lambda w: fetched(BACKTRACKING[w.entry].model),
    output:
        sets="results/{entry}/{contrast}/sets.parquet",
    log:
        "logs/backtracking_sets/{entry}/{contrast}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
        contrast=any_of(BACKTRACKING_CONTRASTS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
    params:
        model=lambda w: BACKTRACKING[w.entry].model.loading(),
        sets=lambda w: {
            "sizes": list(BACKTRACKING[w.entry].causal.sizes),
            "top": BACKTRACKING[w.entry].ranking.top,
            "draws": BACKTRACKING[w.entry].causal.random_sets,
            "seed": BACKTRACKING[w.entry].seed,
        },
        code=code_of("backtracking/backtracking_sets"),
    message:
        "Naming sets of neurons of {wildcards.entry}, {wildcards.contrast}"
    script:
        "../scripts/backtracking/backtracking_sets.py"


rule backtracking_trials:
    input:
        samples="results/{entry}/samples.parquet",
        traces="results/{entry}/traces.parquet",
        sets="results/{entry}/{contrast}/sets.parquet",
        rules=lambda w: BACKTRACKING[w.entry].rules,
        model=lambda w: fetched(BACKTRACKING[w.entry].model),
    output:
        trials="results/{entry}/{contrast}/trials/{part}.parquet",
    log:
        "logs/backtracking_trials/{entry}/{contrast}/{part}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
        contrast=any_of(BACKTRACKING_CONTRASTS),
        part="[0-9]+",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=lambda w: BACKTRACKING[w.entry].model.loading(),
        trials=lambda w: {
            "top": BACKTRACKING[w.entry].ranking.top,
            "most": BACKTRACKING[w.entry].causal.samples,
            "part": int(w.part),
            "parts": backtracking_parts(w.entry),
        },
        code=code_of("backtracking/backtracking_trials"),
    message:
        "Trying sets of neurons of {wildcards.entry}, {wildcards.contrast}, part {wildcards.part}"
    script:
        "../scripts/backtracking/backtracking_trials.py"


rule backtracking_effects:
    input:
        trials=lambda w: expand(
            "results/{entry}/{contrast}/trials/{part}.parquet",
            entry=w.entry,
            contrast=w.contrast,
            part=range(backtracking_parts(w.entry)),
        ),
    output:
        effects="results/{entry}/{contrast}/effects.parquet",
        logit="results/{entry}/{contrast}/logit.parquet",
    log:
        "logs/backtracking_effects/{entry}/{contrast}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
        contrast=any_of(BACKTRACKING_CONTRASTS),
    conda:
        "../../environment.yml"
    params:
        seed=lambda w: BACKTRACKING[w.entry].seed,
        code=code_of("backtracking/backtracking_effects"),
    message:
        "Adding up the trials of {wildcards.entry}, {wildcards.contrast}"
    script:
        "../scripts/backtracking/backtracking_effects.py"


rule backtracking_values:
    input:
        samples="results/{entry}/samples.parquet",
        traces="results/{entry}/traces.parquet",
        events="results/{entry}/events.parquet",
        neurons="results/{entry}/{contrast}/neurons.parquet",
        directions="results/{entry}/{contrast}/directions.parquet",
        model=lambda w: fetched(BACKTRACKING[w.entry].model),
    output:
        around="results/{entry}/{contrast}/around.parquet",
        strips="results/{entry}/{contrast}/strips.parquet",
        spans="results/{entry}/{contrast}/spans.parquet",
    log:
        "logs/backtracking_values/{entry}/{contrast}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
        contrast=any_of(BACKTRACKING_CONTRASTS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
    params:
        model=lambda w: BACKTRACKING[w.entry].model.loading(),
        follow=lambda w: {
            "top": BACKTRACKING[w.entry].ranking.top,
            "shown": 6,
            "seed": BACKTRACKING[w.entry].seed,
        },
        code=code_of("backtracking/backtracking_values"),
    message:
        "Following the top neurons of {wildcards.entry}, {wildcards.contrast}"
    script:
        "../scripts/backtracking/backtracking_values.py"


checkpoint backtracking_choose:
    input:
        sets=lambda w: "results/{}/{}/sets.parquet".format(
            w.entry, BACKTRACKING[w.entry].pairs.neurons
        ),
    output:
        selected="results/{entry}/ablated/selected.json",
    log:
        "logs/backtracking_choose/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING_PAIRS),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        top=lambda w: BACKTRACKING[w.entry].ranking.top,
        random_sets=lambda w: BACKTRACKING[w.entry].pairs.random_sets,
        code=code_of("backtracking/backtracking_choose"),
    message:
        "Naming the neurons that are held at zero, {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_choose.py"


rule backtracking_pairs:
    input:
        generations="results/{entry}/ablated/generations.parquet",
        metrics="results/{entry}/ablated/text_metrics.parquet",
        prompts="results/{entry}/ablated/prompts.parquet",
        selected="results/{entry}/ablated/selected.json",
        rules=lambda w: BACKTRACKING[w.entry].rules,
    output:
        texts="results/{entry}/paired_texts.parquet",
        paired="results/{entry}/paired.parquet",
    log:
        "logs/backtracking_pairs/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING_PAIRS),
    conda:
        "../../environment.yml"
    params:
        code=code_of("backtracking/backtracking_pairs"),
    message:
        "Comparing texts before and after, {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_pairs.py"


rule backtracking_exits:
    input:
        traces="results/{entry}/traces.parquet",
        events="results/{entry}/events.parquet",
        model=lambda w: fetched(BACKTRACKING[w.entry].model),
    output:
        exits="results/{entry}/exits.parquet",
    log:
        "logs/backtracking_exits/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
    conda:
        "../../environment.yml"
    threads: CONFIG.compute.threads
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=lambda w: BACKTRACKING[w.entry].model.loading(),
        code=code_of("backtracking/backtracking_exits"),
    message:
        "Ending thinking before the events of {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_exits.py"


rule backtracking_verdicts:
    input:
        unpack(backtracking_tables),
    output:
        verdicts="results/{entry}/verdicts.parquet",
        ledger="results/{entry}/ledger.parquet",
    log:
        "logs/backtracking_verdicts/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        contrasts=lambda w: list(BACKTRACKING[w.entry].contrasts),
        minimum=lambda w: backtracking_ranking(BACKTRACKING[w.entry])["minimum"],
        top=lambda w: BACKTRACKING[w.entry].ranking.top,
        code=code_of("backtracking/backtracking_verdicts"),
    message:
        "Concluding on {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_verdicts.py"


rule backtracking_figures:
    input:
        unpack(backtracking_tables),
    output:
        figure_files(
            "backtracking",
            ["volcano", "layers", "discovery_test", "heldout", "offsets"],
        ),
    log:
        "logs/backtracking_figures/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        contrasts=lambda w: list(BACKTRACKING[w.entry].contrasts),
        title=lambda w: BACKTRACKING[w.entry].title,
        minimum=lambda w: backtracking_ranking(BACKTRACKING[w.entry])["minimum"],
        top=lambda w: BACKTRACKING[w.entry].ranking.top,
        code=code_of("backtracking/backtracking_figures"),
    message:
        "Drawing the ranking of {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_figures.py"


use rule backtracking_figures as backtracking_effects_figures with:
    output:
        figure_files(
            "backtracking", ["dose", "damage", "rates", "rates_level", "rates_type"]
        ),
    log:
        "logs/backtracking_effects_figures/{entry}.log",
    message:
        "Drawing effects and rates of {wildcards.entry}"


use rule backtracking_figures as backtracking_pairs_figure with:
    output:
        figure_files("backtracking", ["pairs"]),
    log:
        "logs/backtracking_pairs_figure/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING_PAIRS),
    message:
        "Drawing texts before and after, {wildcards.entry}"


rule backtracking_report:
    input:
        unpack(backtracking_tables),
        verdicts="results/{entry}/verdicts.parquet",
        ledger="results/{entry}/ledger.parquet",
        template="workflow/data/backtracking/strips.html",
    output:
        summary="results/{entry}/summary.md",
        html=report(
            "results/{entry}/summary.html",
            caption="../report/backtracking/summary.rst",
            category="{entry}",
            labels={"what": "summary", "kind": "text"},
        ),
        strips="results/{entry}/strips.html",
    log:
        "logs/backtracking_report/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        contrasts=lambda w: list(BACKTRACKING[w.entry].contrasts),
        title=lambda w: BACKTRACKING[w.entry].title,
        files=lambda w: backtracking_kept(w.entry),
        about="The top neurons of each contrast, chosen on other traces, at every token of held-out traces. Underlined: sentences of events.",
        minimum=lambda w: backtracking_ranking(BACKTRACKING[w.entry])["minimum"],
        top=lambda w: BACKTRACKING[w.entry].ranking.top,
        code=code_of("backtracking/backtracking_report"),
    message:
        "Reporting {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_report.py"


rule backtracking_texts:
    input:
        texts="results/{entry}/paired_texts.parquet",
        rules=lambda w: BACKTRACKING[w.entry].rules,
        template="workflow/data/backtracking/texts.html",
    output:
        page="results/{entry}/texts.html",
    log:
        "logs/backtracking_texts/{entry}.log",
    wildcard_constraints:
        entry=any_of(BACKTRACKING_PAIRS),
    conda:
        "../../environment.yml"
    params:
        title=lambda w: BACKTRACKING[w.entry].title,
        about=lambda w: "The same problems and seeds, before and with the top neurons of {} held at zero.".format(
            BACKTRACKING[w.entry].pairs.neurons
        ),
        code=code_of("backtracking/backtracking_texts"),
    message:
        "Writing texts before and after side by side, {wildcards.entry}"
    script:
        "../scripts/backtracking/backtracking_texts.py"
