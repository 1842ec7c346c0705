"""Compute the losses of one shard's prompts."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.generation.shard import make_shard
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.mystudy.losses import losses
    from clampsweep.studies.mystudy.tables import LOSSES

    make_shard(
        compute=losses,
        schema=LOSSES,
        shard=Path(snakemake.input.shard),
        model_folder=Path(snakemake.input.model).parent,
        spec=ModelSpec(**snakemake.params.model),
        threads=snakemake.threads,
        device=snakemake.resources.device,
        code=snakemake.params.code,
        output=Path(snakemake.output.table),
    )
