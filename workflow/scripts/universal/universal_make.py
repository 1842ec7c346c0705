"""Train a model by its recipe, and write its folder."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.studies.universal.making.make import make

    made = snakemake.wildcards.made
    make(
        recipe=snakemake.params.recipe,
        threads=snakemake.threads,
        scratch=Path(f"results/.scratch/{made}-{snakemake.params.code}"),
        folder=Path(snakemake.output.made),
    )
