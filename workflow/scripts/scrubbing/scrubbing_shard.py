"""Make a shard of losses, cells, attributions, attention or key totals."""

from functools import partial
from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.generation.shard import make_shard
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.scrubbing import tables
    from clampsweep.studies.scrubbing.data import read_data
    from clampsweep.studies.scrubbing.shards import compute

    make_shard(
        compute=partial(compute, data=read_data(Path(snakemake.input.examples).parent)),
        schema=getattr(tables, snakemake.params.table),
        shard=Path(snakemake.input.shard),
        model_folder=Path(snakemake.input.model).parent,
        spec=ModelSpec(**snakemake.params.model),
        threads=snakemake.threads,
        device="cpu",
        code=snakemake.params.code,
        output=Path(snakemake.output.table),
    )
