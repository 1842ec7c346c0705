# Models, fetched once by digest; those that a rule of a study makes are taken from resources/made/.


def made_by(study):
    """Recipes of the models that a study makes, by the folder of resources/made/ that they go to."""
    return {
        spec.made: spec.recipe for spec in CONFIG.models.values() if spec.by == study
    }


def is_done(name):
    """Whether a batch or a made model is there, by the name that its parts have in .scratch/."""
    return PLANNER.finished(name) or Path("resources/made", name).is_dir()


# A checkpoint, so that what follows is planned once the model is there. As a plain rule, where it
# runs again, Snakemake 9 would look at no other reason why jobs after an ancient() input should.
# One output of the whole folder, for the reason said at select_neurons; the rest is checked.
checkpoint fetch_model:
    input:
        made=lambda w: made_folder(CONFIG.models[w.model]),
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
