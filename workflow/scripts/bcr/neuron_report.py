"""List the neurons that stand out in the baseline."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, tables
    from clampsweep.studies.bcr.neuron_report import neuron_report
    from clampsweep.texts.selection import NEURON_STATS

    stats = tables.read(snakemake.input.stats, NEURON_STATS)
    files.write_text(neuron_report(stats), snakemake.output.report)
