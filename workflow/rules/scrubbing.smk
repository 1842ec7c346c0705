# Causal scrubbing of induction heads: the corpus, the model that is trained on it.
SCRUBBING_MADE = made_by("scrubbing")
SCRUBBING_CORPORA = {
    recipe["corpus"]["sha256"][:16]: recipe["corpus"]
    for recipe in SCRUBBING_MADE.values()
}


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
