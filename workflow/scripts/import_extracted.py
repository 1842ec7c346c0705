"""Take over the texts of an existing extracted.tsv."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import extracted, provenance, tables

    params, output, source = snakemake.params, snakemake.output, snakemake.input.tsv
    facts = provenance.record(code=params.code, extracted=provenance.file_digest(source))
    prompts, generations = extracted.read(source, params.target, params.operation, params.scope)
    tables.write(prompts, output.prompts, tables.PROMPTS, facts)
    tables.write(generations, output.generations, tables.GENERATIONS, facts)
