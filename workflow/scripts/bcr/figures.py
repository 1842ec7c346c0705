"""Draw every figure of an entry, as SVG and PNG."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.studies.bcr import view
    from clampsweep.studies.bcr.figures import draw

    params = snakemake.params
    sweep = view.read(dict(snakemake.input.items()), params.detectors, params.title)
    draw.save(sweep, list(snakemake.output))
