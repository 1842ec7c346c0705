"""Choose the best clamp on half of the prompts, and score it on the rest."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.bcr.recovery import RECOVERY
    from clampsweep.studies.bcr.split_half import SPLIT_HALF, split_half
    from clampsweep.texts.promptset import PROMPTS

    recovery = tables.read(snakemake.input.recovery, RECOVERY)
    prompts = tables.read(snakemake.input.prompts, PROMPTS)
    facts = provenance.record(code=snakemake.params.code)
    frame = split_half(recovery, prompts)
    tables.write(frame, snakemake.output.split_half, SPLIT_HALF, facts)
