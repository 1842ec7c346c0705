"""Statistics of every neuron in every domain, from the moments of blocks."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.universal.statistics_of_shards import SCHEMAS, statistics

    params, paths = snakemake.params, [Path(path) for path in snakemake.input.shards]
    tables.check_code(paths, params.shards_code, "universal_moments")
    found = statistics(Path(snakemake.input.plan), paths, params.known, params.seed)
    facts = provenance.record(code=params.code, shards=[path.stem for path in paths])
    for name, table in found.items():
        tables.write(table, getattr(snakemake.output, name), SCHEMAS[name], facts)
