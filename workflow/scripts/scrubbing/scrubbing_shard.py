"""Make a shard of losses, cells, attributions, attention or key totals."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.generation.shard import make_own_shard
    from clampsweep.studies.scrubbing import tables
    from clampsweep.studies.scrubbing.data import read_data
    from clampsweep.studies.scrubbing.preparing import ready
    from clampsweep.studies.scrubbing.shards import compute

    given, params, threads = snakemake.input, snakemake.params, snakemake.threads
    folder, data = Path(given.model).parent, read_data(Path(given.examples).parent)
    make_own_shard(
        compute=lambda shard: compute(ready(folder, params.model, threads).weights, shard, data),
        schema=getattr(tables, params.table),
        shard=Path(given.shard),
        code=params.code,
        output=Path(snakemake.output.table),
    )
