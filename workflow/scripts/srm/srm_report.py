"""Draw the figures of spotlight resonance, and write its report."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, tables
    from clampsweep.studies.srm.curves import SRM_CURVES, SRM_GROUPS
    from clampsweep.studies.srm.differences import SRM_DIFFERENCES
    from clampsweep.studies.srm.figures import draw
    from clampsweep.studies.srm.plane import Srm
    from clampsweep.studies.srm.report import report

    params, output = snakemake.params, snakemake.output
    groups = tables.read(snakemake.input.groups, SRM_GROUPS)
    curves = tables.read(snakemake.input.curves, SRM_CURVES)
    differences = tables.read(snakemake.input.differences, SRM_DIFFERENCES)
    paths = [path for path in output if path != output.text]
    draw.save(groups, curves, differences, params.title, paths)
    concluded = ledger.read(snakemake.input.verdicts, snakemake.input.ledger)
    text = report(groups, differences, concluded, Srm(**params.srm), params.title)
    files.write_text(text, output.text)
