# Models, fetched once by digest.


# A checkpoint, so that what follows is planned once the model is there. As a plain rule, where it
# runs again, Snakemake 9 would look at no other reason why jobs after an ancient() input should.
# One output of the whole folder, for the reason said at select_neurons; the rest is checked.
checkpoint fetch_model:
    output:
        digests="resources/models/{model}/model.sha256",
    log:
        "logs/fetch_model/{model}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        spec=lambda w: CONFIG.models[w.model].fetching(),
        identity=lambda w: or_stop(lambda: CONFIG.models[w.model].identity),
        code=code_of("models/fetch_model"),
    message:
        "Fetching the model {wildcards.model}"
    script:
        "../scripts/models/fetch_model.py"
