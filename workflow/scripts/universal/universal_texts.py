"""Say what the texts of an entry are."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, tables
    from clampsweep.studies.universal.report.texts import section
    from clampsweep.studies.universal.tokens import TOKENS

    params = snakemake.params
    found = tables.read(snakemake.input.tokens, TOKENS)
    files.write_text(section(found, params.domains, params.skip), snakemake.output.section)
