"""Compare the lengths of an entry's clamped texts with those of its baselines."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import ledger, provenance, tables
    from clampsweep.studies.mystudy.lengths import LENGTHS, judge, lengths
    from clampsweep.texts.gather import GENERATIONS
    from clampsweep.texts.promptset import PROMPTS

    generations = tables.read(snakemake.input.generations, GENERATIONS)
    found = lengths(generations, tables.read(snakemake.input.prompts, PROMPTS))
    facts = provenance.record(code=snakemake.params.code)
    output = snakemake.output
    tables.write(found, output.lengths, LENGTHS, facts)
    ledger.write(judge(found), output.verdicts, output.ledger, facts)
