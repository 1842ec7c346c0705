"""Draw every figure of a sweep, as SVG and PNG."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.studies.bcr import view
    from clampsweep.studies.bcr.figures.draw import save

    seen = view.read(snakemake.input, snakemake.params.detectors, snakemake.params.title)
    save(seen, list(snakemake.output))
