"""Gather a sweep's rows from the batches that hold them."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.texts.gather import gather

    gather(
        plan=Path(snakemake.input.plan),
        prompts=Path(snakemake.input.prompts),
        batches=[Path(path) for path in snakemake.input.generations],
        vector_batches=[Path(path) for path in snakemake.input.vectors],
        model=snakemake.params.model,
        texts_code=snakemake.params.texts_code,
        code=snakemake.params.code,
        generations=Path(snakemake.output.generations),
        vectors=Path(snakemake.output.vectors),
    )
