"""Take over the texts of an existing extracted.tsv."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.bcr import extracted
    from clampsweep.texts.gather import GENERATIONS
    from clampsweep.texts.promptset import PROMPTS

    params, output, source = snakemake.params, snakemake.output, snakemake.input.tsv
    facts = provenance.record(code=params.code, extracted=provenance.file_digest(source))
    prompts, generations = extracted.read(source, params.target, params.operation, params.scope)
    tables.write(prompts, output.prompts, PROMPTS, facts)
    tables.write(generations, output.generations, GENERATIONS, facts)
