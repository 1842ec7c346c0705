"""Draw how good the collapse detectors are."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import tables
    from clampsweep.figures.style import save_figure
    from clampsweep.studies.bcr.detector_quality import CALIBRATION, DETECTOR_QUALITY
    from clampsweep.studies.bcr.figures.detectors import detectors

    quality = tables.read(snakemake.input.quality, DETECTOR_QUALITY)
    calibration = tables.read(snakemake.input.calibration, CALIBRATION)
    save_figure(detectors(quality, calibration), [Path(path) for path in snakemake.output])
