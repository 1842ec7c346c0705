"""Make a model by its recipe."""
# ruff: noqa: F821

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.studies.toy.making import make

    made = snakemake.wildcards.made
    make(
        recipe=snakemake.params.recipe,
        threads=snakemake.threads,
        scratch=Path(f"results/.scratch/{made}-{snakemake.params.code}"),
        tokenizer=Path(snakemake.input.tokenizer),
        folder=Path(snakemake.output.made),
    )
