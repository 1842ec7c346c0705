"""Compare a sweep's targets with their controls."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.bcr.recovery import RECOVERY
    from clampsweep.studies.bcr.special import SPECIAL, special
    from clampsweep.texts.control_table import CONTROLS

    recovery = tables.read(snakemake.input.recovery, RECOVERY)
    control_recovery = tables.read(snakemake.input.control_recovery, RECOVERY)
    controls = tables.read(snakemake.input.controls, CONTROLS)
    frame = special(recovery, control_recovery, controls)
    facts = provenance.record(code=snakemake.params.code)
    tables.write(frame, snakemake.output.special, SPECIAL, facts)
