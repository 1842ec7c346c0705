"""Count collapse among sampled baselines."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.bcr.variability import VARIABILITY, variability
    from clampsweep.texts.gather import GENERATIONS

    generations = tables.read(snakemake.input.generations, GENERATIONS)
    samples = tables.read(snakemake.input.samples, GENERATIONS)
    frame = variability(generations, samples, snakemake.params.detectors)
    facts = provenance.record(code=snakemake.params.code, detectors=snakemake.params.detectors)
    tables.write(frame, snakemake.output.variability, VARIABILITY, facts)
