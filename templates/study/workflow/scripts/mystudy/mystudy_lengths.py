"""Compare the lengths of an entry's clamped texts with those of its baselines."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.mystudy.lengths import LENGTHS, lengths, verdicts
    from clampsweep.texts.gather import GENERATIONS
    from clampsweep.texts.promptset import PROMPTS
    from clampsweep.verdicts import VERDICTS

    generations = tables.read(snakemake.input.generations, GENERATIONS)
    found = lengths(generations, tables.read(snakemake.input.prompts, PROMPTS))
    facts = provenance.record(code=snakemake.params.code)
    tables.write(found, snakemake.output.lengths, LENGTHS, facts)
    tables.write(verdicts(found), snakemake.output.verdicts, VERDICTS, facts)
