"""Compute the text metrics of a sweep's generations."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables, text_metrics

    frame = text_metrics.table(tables.read(snakemake.input.generations, tables.GENERATIONS))
    facts = provenance.record(code=snakemake.params.code)
    tables.write(frame, snakemake.output.metrics, tables.TEXT_METRICS, facts)
