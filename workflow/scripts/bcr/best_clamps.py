"""Choose the clamp at which each target is compared with its controls."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.bcr.best_clamps import BEST_CLAMPS, best_clamps
    from clampsweep.studies.bcr.recovery import RECOVERY
    from clampsweep.texts.promptset import PROMPTS

    recovery = tables.read(snakemake.input.recovery, RECOVERY)
    theirs = tables.read(snakemake.input.control_prompts, PROMPTS)["prompt_id"]
    facts = provenance.record(code=snakemake.params.code)
    frame = best_clamps(recovery, set(theirs))
    tables.write(frame, snakemake.output.best_clamps, BEST_CLAMPS, facts)
