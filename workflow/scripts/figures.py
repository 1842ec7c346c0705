"""Draw every figure of a sweep, as SVG and PNG."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import plots, view

    seen = view.read(snakemake.input, snakemake.params.detectors, snakemake.params.title)
    plots.save(seen, list(snakemake.output))
