"""Add up powers of every neuron's activations over the blocks of a shard."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.generation.shard import make_shard
    from clampsweep.models.moments_schema import MOMENTS
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal.moments import moments

    make_shard(
        compute=moments,
        schema=MOMENTS,
        shard=Path(snakemake.input.shard),
        model_folder=Path(snakemake.input.model).parent,
        spec=ModelSpec(**snakemake.params.model),
        threads=snakemake.threads,
        device=snakemake.resources.device,
        code=snakemake.params.code,
        output=Path(snakemake.output.table),
    )
