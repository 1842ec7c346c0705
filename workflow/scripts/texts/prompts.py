"""Read a promptset file into the prompts table."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.texts import promptset
    from clampsweep.texts.promptset import PROMPTS

    source = snakemake.input.promptset
    facts = provenance.record(
        code=snakemake.params.code, promptset=provenance.file_digest(source), source=source
    )
    params = snakemake.params
    frame = promptset.read(source, params.format, params.template, params.id)
    if params.drawn is not None:
        frame = promptset.draw(frame, *params.drawn)
    tables.write(frame, snakemake.output.prompts, PROMPTS, facts)
