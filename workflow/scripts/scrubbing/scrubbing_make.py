"""Train a model by its recipe, and write its folder."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import tables
    from clampsweep.studies.scrubbing.making.corpus import check_digest
    from clampsweep.studies.scrubbing.making.make import make
    from clampsweep.studies.scrubbing.tables import CORPUS

    recipe, made = snakemake.params.recipe, snakemake.wildcards.made
    corpus = tables.read(snakemake.input.corpus, CORPUS)
    check_digest(corpus, recipe["corpus"]["sha256"], "recipe.corpus")
    make(
        recipe=recipe,
        corpus=corpus,
        threads=snakemake.threads,
        scratch=Path(f"results/.scratch/{made}-{snakemake.params.code}"),
        folder=Path(snakemake.output.made),
    )
