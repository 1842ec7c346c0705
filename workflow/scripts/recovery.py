"""Flag collapse, recovery and harm, and count them by clamp."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, recovery, tables

    generations = tables.read(snakemake.input.generations, tables.GENERATIONS)
    metrics = tables.read(snakemake.input.metrics, tables.TEXT_METRICS)
    prompts = tables.read(snakemake.input.prompts, tables.PROMPTS)
    rows = recovery.recovery(generations, metrics, snakemake.params.detectors)
    facts = provenance.record(code=snakemake.params.code, detectors=snakemake.params.detectors)
    tables.write(rows, snakemake.output.recovery, tables.RECOVERY, facts)
    tables.write(recovery.rates(rows, prompts), snakemake.output.rates, tables.RATES, facts)
