"""Choose the best clamp on half of the prompts, and score it on the rest."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.split_half import split_half

    recovery = tables.read(snakemake.input.recovery, tables.RECOVERY)
    prompts = tables.read(snakemake.input.prompts, tables.PROMPTS)
    facts = provenance.record(code=snakemake.params.code)
    frame = split_half(recovery, prompts)
    tables.write(frame, snakemake.output.split_half, tables.SPLIT_HALF, facts)
