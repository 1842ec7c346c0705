"""Conclude from the statistics of activations, draw them, and write their section."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance, tables
    from clampsweep.studies.universal import convergence, neuron_table, new_data, pooled, values
    from clampsweep.studies.universal.claims.data import claims
    from clampsweep.studies.universal.figures import data as figures
    from clampsweep.studies.universal.figures.saving import save
    from clampsweep.studies.universal.report.data import section

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    gt2 = tables.read(given.gt2, new_data.NEW_DATA)
    halves = tables.read(given.halves, neuron_table.HALVES)
    nulls, pool = tables.read(given.nulls, values.NULLS), tables.read(given.pooled, pooled.POOLED)
    stats = tables.read(given.stats, neuron_table.STATS, {"domain": params.known})
    found = ledger.conclusions(claims(gt2, halves, nulls, pool, params.known))
    ledger.write(found, output.verdicts, output.ledger, provenance.record(code=params.code))
    over = tables.read(given.convergence, convergence.CONVERGENCE)
    each, title = tables.read(given.values, values.VALUES), params.title
    save(output, "convergence", figures.convergence(over, pool, title))
    save(output, "new_data", figures.new_data(gt2, title))
    save(output, "layers", figures.layers(stats, each, title))
    files.write_text(section(found.verdicts, gt2, stats, params.known), output.section)
