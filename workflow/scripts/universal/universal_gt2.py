"""Hold each new domain against the known one."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.universal.new_data import NEW_DATA, compared

    params, paths = snakemake.params, [Path(path) for path in snakemake.input.shards]
    tables.check_code(paths, params.shards_code, "universal_moments")
    found = compared(Path(snakemake.input.plan), paths, params.pairs, params.draws, params.seed)
    facts = provenance.record(code=params.code, shards=[path.stem for path in paths])
    tables.write(found, snakemake.output.gt2, NEW_DATA, facts)
