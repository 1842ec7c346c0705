"""Compare an entry with published figures."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.scrubbing.recovered import RECOVERED
    from clampsweep.studies.scrubbing.reference import REFERENCE, compare, read_reference

    table = tables.read(snakemake.input.table, RECOVERED)
    found = compare(table, read_reference(snakemake.input.reference))
    facts = provenance.record(code=snakemake.params.code)
    tables.write(found, snakemake.output.reference, REFERENCE, facts)
