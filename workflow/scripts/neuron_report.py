"""List the neurons that stand out in the baseline."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import report, tables

    stats = tables.read(snakemake.input.stats, tables.NEURON_STATS)
    tables.write_text(report.neuron_report(stats), snakemake.output.report)
