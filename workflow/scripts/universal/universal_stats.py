"""Statistics of every neuron from the moments: by domain, by halves, over more and more text."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.universal import convergence, neuron_table
    from clampsweep.studies.universal.moment_shards import MomentShards

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    made = [Path(path) for path in given.shards]
    tables.check_code(made, params.shards_code, "universal_moments")
    shards = MomentShards(Path(given.plan), made)
    facts = provenance.record(code=params.code, shards=[path.stem for path in made])
    grown = convergence.every_var(shards, params.domain, params.draws, params.seed)
    tables.write(grown, output.convergence, convergence.CONVERGENCE, facts)
    found = neuron_table.every_domain(shards)
    tables.write(found.stats, output.stats, neuron_table.STATS, facts)
    tables.write(found.reliability, output.reliability, neuron_table.RELIABILITY, facts)
    tables.write(found.halves, output.halves, neuron_table.HALVES, facts)
