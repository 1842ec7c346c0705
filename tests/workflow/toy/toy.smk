# Models that the study `toy` makes.
TOY_MADE = made_by("toy")


rule toy_make:
    input:
        tokenizer="tiny/tokenizer.json",
    output:
        made=directory("resources/made/{made}"),
    log:
        "logs/toy_make/{made}.log",
    wildcard_constraints:
        made=any_of(TOY_MADE),
    conda:
        "../../environment.yml"
    threads: CONFIG.compute.threads
    params:
        recipe=lambda w: TOY_MADE[w.made],
        code=code_of("toy/toy_make"),
    message:
        "Making the model {wildcards.made}"
    script:
        "../scripts/toy/toy_make.py"
