"""Excess correlation, GT1, base rates and persistence, from each other model's table."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.universal.agreement_tables import agreement_tables

    params, facts = snakemake.params, provenance.record(code=snakemake.params.code)
    asked = {"cut": params.cut, "checkpoints": params.checkpoints, "seed": params.seed}
    for name, (found, schema) in agreement_tables(snakemake.input, asked).items():
        tables.write(found, snakemake.output[name], schema, facts)
