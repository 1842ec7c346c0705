# Models and promptsets that are fetched, once, by digest.


# A checkpoint, so that what follows is planned once the model is there. As a plain rule, where it
# runs again, Snakemake 9 would look at no other reason why jobs after an ancient() input should.
# One output of the whole folder, for the reason said at select_controls; the rest is checked.
checkpoint fetch_model:
    output:
        digests="resources/models/{model}/model.sha256",
    log:
        "logs/fetch_model/{model}.log",
    conda:
        "../../environment.yml"
    params:
        spec=lambda w: CONFIG.models[w.model].fetching(),
        identity=lambda w: or_stop(lambda: CONFIG.models[w.model].identity),
        code=code_digest("fetching"),
    message:
        "Fetching the model {wildcards.model}"
    script:
        "../scripts/fetch_model.py"


checkpoint fetch_promptset:
    output:
        "resources/promptsets/{promptset}",
    log:
        "logs/fetch_promptset/{promptset}.log",
    conda:
        "../../environment.yml"
    params:
        url=lambda w: CONFIG.promptsets[w.promptset].url,
        sha256=lambda w: CONFIG.promptsets[w.promptset].sha256,
        format=lambda w: CONFIG.promptsets[w.promptset].format,
        code=code_digest("promptset"),
    message:
        "Fetching the promptset {wildcards.promptset}"
    script:
        "../scripts/fetch_promptset.py"
