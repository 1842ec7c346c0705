"""Measure the collapse detectors on labelled texts."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, provenance, tables
    from clampsweep.studies.bcr import detector_quality, detector_report
    from clampsweep.studies.bcr.detector_quality import CALIBRATION, DETECTOR_QUALITY
    from clampsweep.texts import collapse

    source, output = snakemake.input.texts, snakemake.output
    labelled = detector_quality.read_labelled(source)
    quality = detector_quality.quality(labelled, list(collapse.DETECTORS))
    calibration = detector_quality.calibration(labelled)
    facts = provenance.record(code=snakemake.params.code, texts=provenance.file_digest(source))
    tables.write(quality, output.quality, DETECTOR_QUALITY, facts)
    tables.write(calibration, output.calibration, CALIBRATION, facts)
    files.write_text(detector_report.report(labelled, quality, calibration), output.report)
