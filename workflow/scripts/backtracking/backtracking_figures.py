"""Draw the figures of an entry."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.figures.outputs import save_figures
    from clampsweep.studies.backtracking.figures.all_figures import drawn

    output = snakemake.output
    save_figures(drawn(snakemake.input, snakemake.params, output), output)
