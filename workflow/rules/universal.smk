# Universal neurons, for entries of the section `universal`: texts, then a block of rules for each
# slice (docs/universal.md), then what joins them.
include: "universal_inputs.smk"


# ---- texts


rule universal_tokens:
    input:
        texts=lambda w: [
            file for files in universal_files(w).values() for file in files
        ],
        model=lambda w: fetched(UNIVERSAL[w.entry].model),
    output:
        tokens="results/{entry}/un_tokens.parquet",
    log:
        "logs/universal_tokens/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        files=lambda w: universal_files(w),
        cut=lambda w: {
            "sequences": UNIVERSAL[w.entry].texts.sequences,
            "context": UNIVERSAL[w.entry].texts.context,
            "blocks": UNIVERSAL[w.entry].texts.blocks,
            "prepend_bos": UNIVERSAL[w.entry].model.prepend_bos,
        },
        code=code_of("universal/universal_tokens"),
    message:
        "Cutting the texts of {wildcards.entry}"
    script:
        "../scripts/universal/universal_tokens.py"


checkpoint universal_blocks:
    input:
        tokens="results/{entry}/un_tokens.parquet",
    output:
        listed="results/{entry}/blocks.json",
    log:
        "logs/universal_blocks/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    localrule: True
    conda:
        "../../environment.yml"
    params:
        skip=lambda w: UNIVERSAL[w.entry].texts.skip,
        code=code_of("universal/universal_blocks"),
    message:
        "Listing the blocks of texts of {wildcards.entry}"
    script:
        "../scripts/universal/universal_blocks.py"


rule universal_texts:
    input:
        tokens="results/{entry}/un_tokens.parquet",
    output:
        section="results/{entry}/texts/section.md",
    log:
        "logs/universal_texts/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    params:
        domains=lambda w: [
            {"name": one.name, "source": one.source, "licence": one.licence}
            | {"language": one.language}
            for one in UNIVERSAL[w.entry].texts.domains
        ],
        skip=lambda w: UNIVERSAL[w.entry].texts.skip,
        code=code_of("universal/universal_texts"),
    message:
        "Describing the texts of {wildcards.entry}"
    script:
        "../scripts/universal/universal_texts.py"


# ---- data


# Makes a shard of moments: what all statistics of activations are made of.
rule universal_moments:
    input:
        shard="results/shards/universal_moments/{shard}.json",
        model=shard_model,
    output:
        table="results/shards/universal_moments/{shard}.parquet",
    log:
        "logs/universal_moments/{shard}.log",
    priority: 1  # most of the rest waits for them
    conda:
        "../../environment.yml"
    threads: 1  # a second one gains little; another shard gains more
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=shard_loading,
        code=code_of("universal/universal_moments"),
    message:
        "Moments of every neuron, shard {wildcards.shard}"
    script:
        "../scripts/universal/universal_moments.py"


rule universal_stats:
    input:
        plan=lambda w: str(work_plan(f"{w.entry}/moments").path),
        shards=lambda w: shards_of(f"{w.entry}/moments"),
    output:
        stats="results/{entry}/un_stats.parquet",
        reliability="results/{entry}/un_reliability.parquet",
        halves="results/{entry}/un_halves.parquet",
        convergence="results/{entry}/un_convergence.parquet",
    log:
        "logs/universal_stats/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        domain=lambda w: UNIVERSAL[w.entry].prose,
        seed=lambda w: UNIVERSAL[w.entry].seed,
        draws=8,  # of each number of blocks, for the growth of kurtosis with text
        shards_code=rules.universal_moments.params.code,
        code=code_of("universal/universal_stats"),
    message:
        "Statistics of every neuron of {wildcards.entry}"
    script:
        "../scripts/universal/universal_stats.py"


rule universal_values:
    input:
        tokens="results/{entry}/un_tokens.parquet",
        model=lambda w: fetched(UNIVERSAL[w.entry].model),
    output:
        values="results/{entry}/un_values.parquet",
        nulls="results/{entry}/un_nulls.parquet",
        pooled="results/{entry}/un_pooled.parquet",
    log:
        "logs/universal_values/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
    params:
        model=lambda w: UNIVERSAL[w.entry].model.loading(),
        domain=lambda w: UNIVERSAL[w.entry].prose,
        skip=lambda w: UNIVERSAL[w.entry].texts.skip,
        seed=lambda w: UNIVERSAL[w.entry].seed,
        draws=24,  # permutations of up against the gate
        texts=8,  # whose beginnings' values are pooled
        code=code_of("universal/universal_values"),
    message:
        "Values of every neuron of {wildcards.entry}"
    script:
        "../scripts/universal/universal_values.py"


rule universal_new_data:
    input:
        tokens="results/{entry}/un_tokens.parquet",
        plan=lambda w: str(work_plan(f"{w.entry}/moments").path),
        shards=lambda w: shards_of(f"{w.entry}/moments"),
    output:
        table="results/{entry}/un_gt2.parquet",
    log:
        "logs/universal_new_data/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        pairs=lambda w: [list(pair) for pair in UNIVERSAL[w.entry].pairs],
        seed=lambda w: UNIVERSAL[w.entry].seed,
        draws=99,  # of blocks dealt out anew
        shards_code=rules.universal_moments.params.code,
        code=code_of("universal/universal_new_data"),
    message:
        "Comparing domains of {wildcards.entry}"
    script:
        "../scripts/universal/universal_new_data.py"


rule universal_data:
    input:
        stats="results/{entry}/un_stats.parquet",
        reliability="results/{entry}/un_reliability.parquet",
        halves="results/{entry}/un_halves.parquet",
        convergence="results/{entry}/un_convergence.parquet",
        values="results/{entry}/un_values.parquet",
        nulls="results/{entry}/un_nulls.parquet",
        pooled="results/{entry}/un_pooled.parquet",
        new_data="results/{entry}/un_gt2.parquet",
    output:
        figure_files(
            "universal",
            ["kurtosis_tokens", "kurtosis_layers", "log_ratios", "domain_ranks"],
        ),
        verdicts="results/{entry}/data/verdicts.parquet",
        ledger="results/{entry}/data/ledger.parquet",
        section="results/{entry}/data/section.md",
    log:
        "logs/universal_data/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        title=lambda w: UNIVERSAL[w.entry].title,
        domain=lambda w: UNIVERSAL[w.entry].prose,
        code=code_of("universal/universal_data"),
    message:
        "Concluding on statistics of activations of {wildcards.entry}"
    script:
        "../scripts/universal/universal_data.py"


# ---- weights


rule universal_weights_table:
    input:
        model=lambda w: fetched(UNIVERSAL[w.entry].model),
    output:
        weights="results/{entry}/un_weights.parquet",
        vocab="results/{entry}/un_vocab.parquet",
        null="results/{entry}/un_vocab_null.parquet",
        gated="results/{entry}/un_gated.parquet",
        gated_layers="results/{entry}/un_gated_layers.parquet",
    log:
        "logs/universal_weights_table/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    priority: 1
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
    params:
        model=lambda w: UNIVERSAL[w.entry].model.loading(),
        directions=2000,  # random ones
        seed=lambda w: UNIVERSAL[w.entry].seed,
        code=code_of("universal/universal_weights_table"),
    message:
        "Weights of every neuron of {wildcards.entry}"
    script:
        "../scripts/universal/universal_weights_table.py"


rule universal_weights:
    input:
        vocab="results/{entry}/un_vocab.parquet",
        null="results/{entry}/un_vocab_null.parquet",
        gated="results/{entry}/un_gated_layers.parquet",
    output:
        figure_files("universal", ["vocabulary", "gated"]),
        verdicts="results/{entry}/weights/verdicts.parquet",
        ledger="results/{entry}/weights/ledger.parquet",
        section="results/{entry}/weights/section.md",
    log:
        "logs/universal_weights/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    params:
        title=lambda w: UNIVERSAL[w.entry].title,
        code=code_of("universal/universal_weights"),
    message:
        "Concluding on the weights of {wildcards.entry}"
    script:
        "../scripts/universal/universal_weights.py"


# ---- reference


rule universal_reference:
    input:
        reference=lambda w: UNIVERSAL[w.entry].reference,
        weights="results/{entry}/un_weights.parquet",
        vocab="results/{entry}/un_vocab.parquet",
    output:
        table="results/{entry}/un_reference.parquet",
        verdicts="results/{entry}/reference/verdicts.parquet",
        ledger="results/{entry}/reference/ledger.parquet",
        section="results/{entry}/reference/section.md",
    log:
        "logs/universal_reference/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL_REFERENCE),
    conda:
        "../../environment.yml"
    params:
        seed=lambda w: UNIVERSAL[w.entry].seed,
        code=code_of("universal/universal_reference"),
    message:
        "Comparing {wildcards.entry} with a published table"
    script:
        "../scripts/universal/universal_reference.py"


# ---- heads


rule universal_heads_table:
    input:
        tokens="results/{entry}/un_tokens.parquet",
        model=lambda w: fetched(UNIVERSAL[w.entry].model),
    output:
        heads="results/{entry}/un_heads.parquet",
        embeddings="results/{entry}/un_embeddings.parquet",
        rotations="results/{entry}/un_rotations.parquet",
    log:
        "logs/universal_heads_table/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
    params:
        model=lambda w: UNIVERSAL[w.entry].model.loading(),
        domain=lambda w: UNIVERSAL[w.entry].prose,
        skip=lambda w: UNIVERSAL[w.entry].texts.skip,
        seed=lambda w: UNIVERSAL[w.entry].seed,
        sequences=8,  # on which heads are watched
        rotations=200,  # random bases of the embedding
        code=code_of("universal/universal_heads_table"),
    message:
        "Heads and embedding dimensions of {wildcards.entry}"
    script:
        "../scripts/universal/universal_heads_table.py"


rule universal_heads:
    input:
        heads="results/{entry}/un_heads.parquet",
        embeddings="results/{entry}/un_embeddings.parquet",
        rotations="results/{entry}/un_rotations.parquet",
    output:
        figure_files("universal", ["heads", "embeddings"]),
        verdicts="results/{entry}/heads/verdicts.parquet",
        ledger="results/{entry}/heads/ledger.parquet",
        section="results/{entry}/heads/section.md",
    log:
        "logs/universal_heads/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    params:
        title=lambda w: UNIVERSAL[w.entry].title,
        begins=lambda w: UNIVERSAL[w.entry].model.prepend_bos,
        code=code_of("universal/universal_heads"),
    message:
        "Concluding on heads and embedding dimensions of {wildcards.entry}"
    script:
        "../scripts/universal/universal_heads.py"


# ---- models of other seeds


rule universal_make:
    input:
        texts=lambda w: sorted(made_by("universal")[w.made]["texts"]),
    output:
        made=directory("resources/made/{made}"),
    log:
        "logs/universal_make/{made}.log",
    wildcard_constraints:
        made=any_of(made_by("universal")),
    conda:
        "../../environment.yml"
    threads: 1  # with one, a killed training goes on to the same weights
    resources:
        mem_mb=4000,
        runtime=lambda w, attempt: attempt * 120,  # minutes
    params:
        recipe=lambda w: made_by("universal")[w.made],
        code=code_of("universal/universal_make"),
    message:
        "Training the model {wildcards.made}"
    script:
        "../scripts/universal/universal_make.py"


# ---- features


rule universal_scan:
    input:
        tokens="results/{entry}/un_tokens.parquet",
        model=lambda w: fetched(UNIVERSAL[w.entry].model),
    output:
        candidates="results/{entry}/features/candidates.parquet",
        truths="results/{entry}/features/planted_neurons.parquet",
        histogram="results/{entry}/un_feature_histogram.parquet",
    log:
        "logs/universal_scan/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL_FEATURES),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=lambda w: UNIVERSAL[w.entry].model.loading(),
        cut=lambda w: universal_cut(UNIVERSAL[w.entry]),
        draws=lambda w: {
            "shifts": UNIVERSAL[w.entry].features.null_shifts,
            "planted": UNIVERSAL[w.entry].features.planted,
            "seed": UNIVERSAL[w.entry].seed,
        },
        code=code_of("universal/universal_scan"),
    message:
        "Looking at all neurons of {wildcards.entry} for features of tokens"
    script:
        "../scripts/universal/universal_scan.py"


rule universal_confirm:
    input:
        tokens="results/{entry}/un_tokens.parquet",
        model=lambda w: fetched(UNIVERSAL[w.entry].model),
        candidates="results/{entry}/features/candidates.parquet",
        truths="results/{entry}/features/planted_neurons.parquet",
    output:
        features="results/{entry}/un_features.parquet",
        neurons="results/{entry}/un_feature_neurons.parquet",
        planted="results/{entry}/features/planted.parquet",
        positions="results/{entry}/un_position_neurons.parquet",
    log:
        "logs/universal_confirm/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL_FEATURES),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=lambda w: UNIVERSAL[w.entry].model.loading(),
        cut=lambda w: universal_cut(UNIVERSAL[w.entry]),
        draws=lambda w: {
            "shifts": UNIVERSAL[w.entry].features.shifts,
            "seed": UNIVERSAL[w.entry].seed,
        },
        code=code_of("universal/universal_confirm"),
    message:
        "Measuring the chosen neurons of {wildcards.entry} on other texts"
    script:
        "../scripts/universal/universal_confirm.py"


rule universal_features:
    input:
        features="results/{entry}/un_features.parquet",
        neurons="results/{entry}/un_feature_neurons.parquet",
        planted="results/{entry}/features/planted.parquet",
        positions="results/{entry}/un_position_neurons.parquet",
        histogram="results/{entry}/un_feature_histogram.parquet",
    output:
        figure_files(
            "universal",
            ["features_best", "features_confirmation", "features_histogram"],
        ),
        verdicts="results/{entry}/features/verdicts.parquet",
        ledger="results/{entry}/features/ledger.parquet",
        section="results/{entry}/features/section.md",
    log:
        "logs/universal_features/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL_FEATURES),
    conda:
        "../../environment.yml"
    params:
        title=lambda w: UNIVERSAL[w.entry].title,
        setting=lambda w: {
            "neurons": UNIVERSAL[w.entry].model.n_layers
            * UNIVERSAL[w.entry].model.d_mlp,
            "minimum": UNIVERSAL[w.entry].features.minimum,
            "shifts": UNIVERSAL[w.entry].features.shifts,
            "null_shifts": UNIVERSAL[w.entry].features.null_shifts,
        },
        code=code_of("universal/universal_features"),
    message:
        "Concluding on features of tokens of {wildcards.entry}"
    script:
        "../scripts/universal/universal_features.py"


# ---- agreement


rule universal_correlate:
    input:
        tokens="results/{entry}/un_tokens.parquet",
        model=lambda w: fetched(UNIVERSAL[w.entry].model),
        other=lambda w: fetched(UNIVERSAL_OTHERS[w.other]),
    output:
        pairs="results/{entry}/parts/pairs_{other}.parquet",
        nulls="results/{entry}/parts/nulls_{other}.parquet",
    log:
        "logs/universal_correlate/{entry}-{other}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL_AGREEMENT),
        other=any_of(UNIVERSAL_OTHERS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        models=lambda w: [
            UNIVERSAL[w.entry].model.loading(),
            UNIVERSAL_OTHERS[w.other].loading(),
        ],
        wanted=lambda w: {
            "skip": UNIVERSAL[w.entry].texts.skip,
            "neurons": UNIVERSAL[w.entry].agreement.neurons,
            "shifts": UNIVERSAL[w.entry].agreement.shifts
            * (UNIVERSAL_OTHERS[w.other] in UNIVERSAL[w.entry].agreement.others),
            "seed": UNIVERSAL[w.entry].seed,
        },
        code=code_of("universal/universal_correlate"),
    message:
        "Neurons of {wildcards.entry} against those of {wildcards.other}"
    script:
        "../scripts/universal/universal_correlate.py"


rule universal_agreement_tables:
    input:
        pairs=universal_pairs("others", "pairs"),
        nulls=universal_pairs("others", "nulls"),
        earlier=universal_pairs("checkpoints", "pairs"),
        stats="results/{entry}/un_stats.parquet",
        weights="results/{entry}/un_weights.parquet",
        vocabulary="results/{entry}/un_vocab.parquet",
    output:
        pairs="results/{entry}/un_corr_pairs.parquet",
        nulls="results/{entry}/un_corr_nulls.parquet",
        corr="results/{entry}/un_corr.parquet",
        neurons="results/{entry}/un_neurons.parquet",
        gt1="results/{entry}/un_gt1.parquet",
        rates="results/{entry}/un_base_rates.parquet",
        persistence="results/{entry}/un_persistence.parquet",
    log:
        "logs/universal_agreement_tables/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        cut=universal_threshold,
        checkpoints=lambda w: [
            spec.name
            for spec in getattr(UNIVERSAL[w.entry].agreement, "checkpoints", ())
        ],
        seed=lambda w: UNIVERSAL[w.entry].seed,
        code=code_of("universal/universal_agreement_tables"),
    message:
        "Universal neurons of {wildcards.entry}, and what they are like"
    script:
        "../scripts/universal/universal_agreement_tables.py"


rule universal_ablation:
    input:
        tokens="results/{entry}/un_tokens.parquet",
        model=lambda w: fetched(UNIVERSAL[w.entry].model),
        corr="results/{entry}/un_corr.parquet",
        neurons="results/{entry}/un_neurons.parquet",
        stats="results/{entry}/un_stats.parquet",
    output:
        ablation="results/{entry}/parts/ablation.parquet",
    log:
        "logs/universal_ablation/{entry}.log",
    wildcard_constraints:
        entry=any_of(
            name for name, one in UNIVERSAL_AGREEMENT.items() if one.agreement.ablation
        ),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
        device=CONFIG.compute.device,
    params:
        model=lambda w: UNIVERSAL[w.entry].model.loading(),
        wanted=lambda w: {
            "skip": UNIVERSAL[w.entry].texts.skip,
            "sequences": UNIVERSAL[w.entry].agreement.ablation,
            "seed": UNIVERSAL[w.entry].seed,
        },
        code=code_of("universal/universal_ablation"),
    message:
        "Ablating the universal neurons of {wildcards.entry}"
    script:
        "../scripts/universal/universal_ablation.py"


rule universal_agreement:
    input:
        pairs="results/{entry}/un_corr_pairs.parquet",
        nulls="results/{entry}/un_corr_nulls.parquet",
        corr="results/{entry}/un_corr.parquet",
        neurons="results/{entry}/un_neurons.parquet",
        gt1="results/{entry}/un_gt1.parquet",
        rates="results/{entry}/un_base_rates.parquet",
        persistence="results/{entry}/un_persistence.parquet",
        ablation=universal_ablated,
    output:
        figure_files(
            "universal", ["excess_correlation", "universal_neurons", "persistence"]
        ),
        ablation="results/{entry}/un_ablation.parquet",
        verdicts="results/{entry}/agreement/verdicts.parquet",
        ledger="results/{entry}/agreement/ledger.parquet",
        section="results/{entry}/agreement/section.md",
    log:
        "logs/universal_agreement/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
    params:
        cut=universal_threshold,
        title=lambda w: UNIVERSAL[w.entry].title,
        code=code_of("universal/universal_agreement"),
    message:
        "Agreement of {wildcards.entry} with other models"
    script:
        "../scripts/universal/universal_agreement.py"


# ---- roles


rule universal_attention_scores:
    input:
        model=lambda w: fetched(UNIVERSAL_ROLES[w.entry].model),
    output:
        scores="results/{entry}/un_attention_scores.parquet",
    log:
        "logs/universal_attention_scores/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL_ROLES),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
    params:
        model=lambda w: UNIVERSAL_ROLES[w.entry].model.loading(),
        code=code_of("universal/universal_attention_scores"),
    message:
        "Scoring neurons of {wildcards.entry} by what they do to attention to BOS"
    script:
        "../scripts/universal/universal_attention_scores.py"


rule universal_role_candidates:
    input:
        weights="results/{entry}/un_weights.parquet",
        vocab="results/{entry}/un_vocab.parquet",
        stats="results/{entry}/un_stats.parquet",
        values="results/{entry}/un_values.parquet",
        scores="results/{entry}/un_attention_scores.parquet",
        features=lambda w: (
            [f"results/{w.entry}/un_feature_neurons.parquet"]
            if UNIVERSAL_ROLES[w.entry].features
            else []
        ),
    output:
        roles="results/{entry}/un_roles.parquet",
        controls="results/{entry}/un_role_controls.parquet",
    log:
        "logs/universal_role_candidates/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL_ROLES),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
    params:
        domain=lambda w: UNIVERSAL_ROLES[w.entry].roles.domain,
        numbers=lambda w: {
            "n_candidates": UNIVERSAL_ROLES[w.entry].roles.candidates,
            "n_controls": UNIVERSAL_ROLES[w.entry].roles.controls,
            "seed": UNIVERSAL_ROLES[w.entry].seed,
        },
        code=code_of("universal/universal_role_candidates"),
    message:
        "Choosing candidates of roles of {wildcards.entry}, and their controls"
    script:
        "../scripts/universal/universal_role_candidates.py"


# One job a role, so that a killed one loses no other.
rule universal_interventions:
    input:
        tokens="results/{entry}/un_tokens.parquet",
        roles="results/{entry}/un_roles.parquet",
        controls="results/{entry}/un_role_controls.parquet",
        scores="results/{entry}/un_attention_scores.parquet",
        model=lambda w: fetched(UNIVERSAL_ROLES[w.entry].model),
    output:
        table="results/{entry}/parts/interventions_{role}.parquet",
    log:
        "logs/universal_interventions/{entry}_{role}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL_ROLES),
        role=any_of(UNIVERSAL_TRIED),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        **HEAVY,
    params:
        model=lambda w: UNIVERSAL_ROLES[w.entry].model.loading(),
        wanted=lambda w: {
            "domain": UNIVERSAL_ROLES[w.entry].roles.domain,
            "split": "confirmation",
            "skip": UNIVERSAL_ROLES[w.entry].texts.skip,
            "values": list(UNIVERSAL_ROLES[w.entry].roles.values),
            "stride": UNIVERSAL_ROLES[w.entry].roles.stride,
        },
        code=code_of("universal/universal_interventions"),
    message:
        "Holding neurons of {wildcards.entry}, role {wildcards.role}"
    script:
        "../scripts/universal/universal_interventions.py"


rule universal_roles:
    input:
        parts=expand(
            "results/{{entry}}/parts/interventions_{role}.parquet",
            role=UNIVERSAL_TRIED,
        ),
        roles="results/{entry}/un_roles.parquet",
    output:
        figure_files("universal", ["role_effects", "entropy_curves"]),
        table="results/{entry}/un_interventions.parquet",
        verdicts="results/{entry}/roles/verdicts.parquet",
        ledger="results/{entry}/roles/ledger.parquet",
        section="results/{entry}/roles/section.md",
    log:
        "logs/universal_roles/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL_ROLES),
    conda:
        "../../environment.yml"
    params:
        title=lambda w: UNIVERSAL_ROLES[w.entry].title,
        begins=lambda w: UNIVERSAL_ROLES[w.entry].model.prepend_bos,
        code=code_of("universal/universal_roles"),
    message:
        "Concluding on the roles of neurons of {wildcards.entry}"
    script:
        "../scripts/universal/universal_roles.py"


# ---- what joins the slices


rule universal_report:
    input:
        verdicts=lambda w: universal_parts(w, "verdicts.parquet"),
        ledgers=lambda w: universal_parts(w, "ledger.parquet"),
        sections=lambda w: [
            f"results/{w.entry}/texts/section.md",
            *universal_parts(w, "section.md"),
        ],
    output:
        verdicts="results/{entry}/verdicts.parquet",
        ledger="results/{entry}/ledger.parquet",
        json="results/{entry}/un_summary.json",
        summary="results/{entry}/summary.md",
        html=report(
            "results/{entry}/summary.html",
            caption="../report/universal/summary.rst",
            category="{entry}",
            labels={"what": "summary", "kind": "text"},
        ),
    log:
        "logs/universal_report/{entry}.log",
    wildcard_constraints:
        entry=any_of(UNIVERSAL),
    conda:
        "../../environment.yml"
    params:
        slices=lambda w: list(universal_judged(UNIVERSAL[w.entry])),
        title=lambda w: UNIVERSAL[w.entry].title,
        files=lambda w: CONFIG.described(w.entry),
        code=code_of("universal/universal_report"),
    message:
        "Reporting {wildcards.entry}"
    script:
        "../scripts/universal/universal_report.py"
