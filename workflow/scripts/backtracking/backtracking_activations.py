"""Capture the activations of one shard's traces."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.generation.shard import make_wide_shard
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.backtracking.activations import write
    from clampsweep.studies.backtracking.tables import ACTIVATIONS

    make_wide_shard(
        write=write,
        schema=ACTIVATIONS,
        shard=Path(snakemake.input.shard),
        model_folder=Path(snakemake.input.model).parent,
        spec=ModelSpec(**snakemake.params.model),
        threads=snakemake.threads,
        device=snakemake.resources.device,
        code=snakemake.params.code,
        output=Path(snakemake.output.table),
    )
