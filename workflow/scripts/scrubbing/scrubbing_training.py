"""Draw the training of an entry's model."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import tables
    from clampsweep.figures.style import save_figure
    from clampsweep.studies.scrubbing.figures.heads import training
    from clampsweep.studies.scrubbing.tables import CURVE

    curve = tables.read(snakemake.params.curve, CURVE)
    save_figure(training(curve, snakemake.params.title), [Path(one) for one in snakemake.output])
