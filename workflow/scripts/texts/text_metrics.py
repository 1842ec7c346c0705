"""Compute the text metrics of a sweep's generations."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.texts.gather import GENERATIONS
    from clampsweep.texts.metrics import TEXT_METRICS, table

    frame = table(tables.read(snakemake.input.generations, GENERATIONS))
    facts = provenance.record(code=snakemake.params.code)
    tables.write(frame, snakemake.output.metrics, TEXT_METRICS, facts)
