"""Make a shard of losses, cells, attributions, attention or key totals."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.generation.shard import make_own_shard, make_shard
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.scrubbing import tables
    from clampsweep.studies.scrubbing.data import read_data
    from clampsweep.studies.scrubbing.published import read_published
    from clampsweep.studies.scrubbing.shards import compute
    from clampsweep.studies.scrubbing.weights import from_model

    given, params = snakemake.input, snakemake.params
    data = read_data(Path(given.examples).parent)
    shard = {
        "schema": getattr(tables, params.table),
        "shard": Path(given.shard),
        "code": params.code,
        "output": Path(snakemake.output.table),
    }
    if params.published:
        own = Path(params.published)
        make_own_shard(lambda content: compute(read_published(own), content, data), **shard)
    else:
        make_shard(
            lambda model, content: compute(from_model(model.plain), content, data),
            model_folder=Path(given.model).parent,
            spec=ModelSpec(**params.model),
            threads=snakemake.threads,
            device="cpu",
            **shard,
        )
