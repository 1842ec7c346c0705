"""Draw the figures of spotlight resonance, and write its report."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import srm_report, tables
    from clampsweep.plots import srm as figures
    from clampsweep.srm_config import Srm

    params, output = snakemake.params, snakemake.output
    groups = tables.read(snakemake.input.groups, tables.SRM_GROUPS)
    curves = tables.read(snakemake.input.curves, tables.SRM_CURVES)
    differences = tables.read(snakemake.input.differences, tables.SRM_DIFFERENCES)
    paths = [path for path in output if path != output.text]
    figures.save(groups, curves, differences, params.title, paths)
    text = srm_report.report(groups, differences, Srm(**params.srm), params.title)
    tables.write_text(text, output.text)
