"""Draw how good the collapse detectors are."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import tables
    from clampsweep.plots.detectors import detectors
    from clampsweep.plots.panels import save_figure

    quality = tables.read(snakemake.input.quality, tables.DETECTOR_QUALITY)
    calibration = tables.read(snakemake.input.calibration, tables.CALIBRATION)
    save_figure(detectors(quality, calibration), [Path(path) for path in snakemake.output])
