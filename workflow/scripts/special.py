"""Compare a sweep's targets with their controls."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.special import special

    recovery = tables.read(snakemake.input.recovery, tables.RECOVERY)
    control_recovery = tables.read(snakemake.input.control_recovery, tables.RECOVERY)
    controls = tables.read(snakemake.input.controls, tables.CONTROLS)
    frame = special(recovery, control_recovery, controls)
    facts = provenance.record(code=snakemake.params.code)
    tables.write(frame, snakemake.output.special, tables.SPECIAL, facts)
