# Causal scrubbing of induction heads, for entries of the section `scrubbing`; the corpus, and the
# model that is trained on it.
include: "scrubbing_inputs.smk"


rule scrubbing_corpus:
    output:
        corpus="resources/corpora/{corpus}.parquet",
    log:
        "logs/scrubbing_corpus/{corpus}.log",
    wildcard_constraints:
        corpus=any_of(SCRUBBING_CORPORA),
    conda:
        "../../environment.yml"
    params:
        corpus=lambda w: SCRUBBING_CORPORA[w.corpus],
        code=code_of("scrubbing/scrubbing_corpus"),
    message:
        "Collecting the corpus {wildcards.corpus} from the installed packages"
    script:
        "../scripts/scrubbing/scrubbing_corpus.py"


rule scrubbing_make:
    input:
        corpus=lambda w: "resources/corpora/{}.parquet".format(
            SCRUBBING_MADE[w.made]["corpus"]["sha256"][:16]
        ),
    output:
        made=directory("resources/made/{made}"),
    log:
        "logs/scrubbing_make/{made}.log",
    wildcard_constraints:
        made=any_of(SCRUBBING_MADE),
    conda:
        "../../environment.yml"
    threads: 1  # with one, a killed training goes on to the same weights
    resources:
        mem_mb=4000,
        runtime=lambda w, attempt: attempt * 120,  # minutes
    params:
        recipe=lambda w: SCRUBBING_MADE[w.made],
        code=code_of("scrubbing/scrubbing_make"),
    message:
        "Training the model {wildcards.made}"
    script:
        "../scripts/scrubbing/scrubbing_make.py"


rule scrubbing_data:
    input:
        source=lambda w: scrubbing_source(SCRUBBING_DATA[w.data].examples),
        model=lambda w: scrubbing_weights(SCRUBBING_DATA[w.data].published)
        or fetched(SCRUBBING_DATA[w.data].model),
    output:
        **scrubbing_data("{data}"),
    log:
        "logs/scrubbing_data/{data}.log",
    wildcard_constraints:
        data=any_of(SCRUBBING_DATA),
    conda:
        "../../environment.yml"
    threads: CONFIG.compute.threads
    resources:
        mem_mb=4000,
        where=lambda w: SCRUBBING_DATA[w.data].where,  # for messages; another entry may share it
    params:
        model=lambda w: SCRUBBING_DATA[w.data].loading,
        wanted=lambda w: SCRUBBING_DATA[w.data].wanted,
        code=code_of("scrubbing/scrubbing_data"),
    message:
        "Cutting examples and scoring heads, {wildcards.data}"
    script:
        "../scripts/scrubbing/scrubbing_data.py"


rule scrubbing_hypotheses:
    input:
        hypotheses=lambda w: SCRUBBING[w.entry].hypotheses,
        heads=lambda w: scrubbing_data(SCRUBBING[w.entry].data)["heads"],
    output:
        heads="results/{entry}/heads.parquet",
        hypotheses="results/{entry}/hypotheses.json",
    log:
        "logs/scrubbing_hypotheses/{entry}.log",
    wildcard_constraints:
        entry=any_of(SCRUBBING),
    priority: 1  # a fault in them is said before anything is scrubbed
    conda:
        "../../environment.yml"
    params:
        hypotheses=lambda w: SCRUBBING[w.entry].hypotheses,
        thresholds=lambda w: SCRUBBING[w.entry].wanted["thresholds"],
        code=code_of("scrubbing/scrubbing_hypotheses"),
    message:
        "Resolving the hypotheses of {wildcards.entry}"
    script:
        "../scripts/scrubbing/scrubbing_hypotheses.py"


# Each of these makes a shard; `gather_shards` joins what is asked for as a table.
rule scrubbing_losses:
    input:
        scrubbing_inputs("scrubbing_losses"),
        shard="results/shards/scrubbing_losses/{shard}.json",
    output:
        table="results/shards/scrubbing_losses/{shard}.parquet",
    log:
        "logs/scrubbing_losses/{shard}.log",
    conda:
        "../../environment.yml"
    threads: 1  # a second one gains little; another shard gains more
    resources:
        mem_mb=4000,
        runtime=lambda w, attempt: attempt * 120,  # minutes
    params:
        table="LOSSES",
        model=scrubbing_loading("scrubbing_losses"),
        code=code_of("scrubbing/scrubbing_shard"),
    message:
        "Losses of shard {wildcards.shard}"
    script:
        "../scripts/scrubbing/scrubbing_shard.py"


use rule scrubbing_losses as scrubbing_cells with:
    input:
        scrubbing_inputs("scrubbing_cells"),
        shard="results/shards/scrubbing_cells/{shard}.json",
    output:
        table="results/shards/scrubbing_cells/{shard}.parquet",
    log:
        "logs/scrubbing_cells/{shard}.log",
    params:
        table="CELLS",
        model=scrubbing_loading("scrubbing_cells"),
        code=code_of("scrubbing/scrubbing_shard"),
    message:
        "One input scrubbed at a time, shard {wildcards.shard}"


use rule scrubbing_losses as scrubbing_saa with:
    input:
        scrubbing_inputs("scrubbing_saa"),
        shard="results/shards/scrubbing_saa/{shard}.json",
    output:
        table="results/shards/scrubbing_saa/{shard}.parquet",
    log:
        "logs/scrubbing_saa/{shard}.log",
    params:
        table="SAA",
        model=scrubbing_loading("scrubbing_saa"),
        code=code_of("scrubbing/scrubbing_shard"),
    message:
        "Attribution, shard {wildcards.shard}"


use rule scrubbing_losses as scrubbing_attention with:
    input:
        scrubbing_inputs("scrubbing_attention"),
        shard="results/shards/scrubbing_attention/{shard}.json",
    output:
        table="results/shards/scrubbing_attention/{shard}.parquet",
    log:
        "logs/scrubbing_attention/{shard}.log",
    params:
        table="ATTENTION",
        model=scrubbing_loading("scrubbing_attention"),
        code=code_of("scrubbing/scrubbing_shard"),
    message:
        "Attention, shard {wildcards.shard}"


use rule scrubbing_losses as scrubbing_totals with:
    input:
        scrubbing_inputs("scrubbing_totals"),
        shard="results/shards/scrubbing_totals/{shard}.json",
    output:
        table="results/shards/scrubbing_totals/{shard}.parquet",
    log:
        "logs/scrubbing_totals/{shard}.log",
    params:
        table="TOTALS",
        model=scrubbing_loading("scrubbing_totals"),
        code=code_of("scrubbing/scrubbing_shard"),
    message:
        "Key totals, shard {wildcards.shard}"


rule scrubbing_table:
    input:
        unpack(lambda w: scrubbing_data(SCRUBBING[w.entry].data)),
        losses_plan=lambda w: str(work_plan(f"{w.entry}/losses").path),
        losses=lambda w: shards_of(f"{w.entry}/losses"),
        cells_plan=lambda w: str(work_plan(f"{w.entry}/cells").path),
        cells=lambda w: shards_of(f"{w.entry}/cells"),
        hypotheses="results/{entry}/hypotheses.json",
        file=lambda w: SCRUBBING[w.entry].hypotheses,
    output:
        table="results/{entry}/table.parquet",
        text="results/{entry}/table.txt",
        curves="results/{entry}/curves.parquet",
        two_heads="results/{entry}/two_heads.parquet",
        cell_harm="results/{entry}/cell_harm.parquet",
        verdicts="results/{entry}/verdicts.parquet",
        ledger="results/{entry}/ledger.parquet",
    log:
        "logs/scrubbing_table/{entry}.log",
    wildcard_constraints:
        entry=any_of(SCRUBBING),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        hypotheses=lambda w: SCRUBBING[w.entry].hypotheses,
        two_heads=lambda w: list(SCRUBBING[w.entry].two_heads),
        seed=lambda w: SCRUBBING[w.entry].seed,
        shards_code={
            name: getattr(rules, f"scrubbing_{name}").params.code
            for name in ("losses", "cells")
        },
        code=code_of("scrubbing/scrubbing_table"),
    message:
        "Adding up the losses of {wildcards.entry}"
    script:
        "../scripts/scrubbing/scrubbing_table.py"


rule scrubbing_reference:
    input:
        table="results/{entry}/table.parquet",
        reference=lambda w: SCRUBBING[w.entry].reference,
    output:
        reference="results/{entry}/reference.parquet",
    log:
        "logs/scrubbing_reference/{entry}.log",
    wildcard_constraints:
        entry=any_of(name for name, entry in SCRUBBING.items() if entry.reference),
    conda:
        "../../environment.yml"
    params:
        code=code_of("scrubbing/scrubbing_reference"),
    message:
        "Comparing {wildcards.entry} with published figures"
    script:
        "../scripts/scrubbing/scrubbing_reference.py"


rule scrubbing_figures:
    input:
        unpack(scrubbing_view),
        template="workflow/data/scrubbing/page.html",
        file=lambda w: SCRUBBING[w.entry].hypotheses,
    output:
        figure_files(
            "scrubbing", [name for name in SCRUBBING_FIGURES if name != "training"]
        ),
        page="results/{entry}/tokens.html",
    log:
        "logs/scrubbing_figures/{entry}.log",
    wildcard_constraints:
        entry=any_of(SCRUBBING),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        hypotheses=lambda w: SCRUBBING[w.entry].hypotheses,
        two_heads=lambda w: list(SCRUBBING[w.entry].two_heads),
        title=lambda w: SCRUBBING[w.entry].title,
        about=lambda w: SCRUBBING[w.entry].about,
        code=code_of("scrubbing/scrubbing_figures"),
    message:
        "Drawing {wildcards.entry}"
    script:
        "../scripts/scrubbing/scrubbing_figures.py"


rule scrubbing_training:
    input:
        model=lambda w: fetched(SCRUBBING[w.entry].model),
    output:
        figure_files("scrubbing", ["training"]),
    log:
        "logs/scrubbing_training/{entry}.log",
    wildcard_constraints:
        entry=any_of(name for name, entry in SCRUBBING.items() if entry.curve),
    conda:
        "../../environment.yml"
    params:
        curve=lambda w: SCRUBBING[w.entry].curve,
        title=lambda w: SCRUBBING[w.entry].model.name,
        code=code_of("scrubbing/scrubbing_training"),
    message:
        "Drawing the training of the model of {wildcards.entry}"
    script:
        "../scripts/scrubbing/scrubbing_training.py"


rule scrubbing_report:
    input:
        unpack(scrubbing_view),
    output:
        summary="results/{entry}/summary.md",
        html=report(
            "results/{entry}/summary.html",
            caption="../report/scrubbing/summary.rst",
            category="{entry}",
            labels={"what": "summary", "kind": "text"},
        ),
    log:
        "logs/scrubbing_report/{entry}.log",
    wildcard_constraints:
        entry=any_of(SCRUBBING),
    conda:
        "../../environment.yml"
    params:
        title=lambda w: SCRUBBING[w.entry].title,
        two_heads=lambda w: list(SCRUBBING[w.entry].two_heads),
        files=lambda w: CONFIG.described(w.entry),
        code=code_of("scrubbing/scrubbing_report"),
    message:
        "Reporting {wildcards.entry}"
    script:
        "../scripts/scrubbing/scrubbing_report.py"
