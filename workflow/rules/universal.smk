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
