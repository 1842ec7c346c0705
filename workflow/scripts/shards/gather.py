"""Gather a work's table from the shards that hold its items."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.shards.gather import gather, schema_of

    gather(
        plan=Path(snakemake.input.plan),
        shards=[Path(path) for path in snakemake.input.shards],
        schema=schema_of(snakemake.params.schema),
        rule=snakemake.params.rule,
        shards_code=snakemake.params.shards_code,
        code=snakemake.params.code,
        output=Path(snakemake.output.table),
    )
