"""Count collapse among sampled baselines."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.variability import variability

    generations = tables.read(snakemake.input.generations, tables.GENERATIONS)
    samples = tables.read(snakemake.input.samples, tables.GENERATIONS)
    frame = variability(generations, samples, snakemake.params.detectors)
    facts = provenance.record(code=snakemake.params.code, detectors=snakemake.params.detectors)
    tables.write(frame, snakemake.output.variability, tables.VARIABILITY, facts)
