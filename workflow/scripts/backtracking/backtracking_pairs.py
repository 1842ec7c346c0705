"""Compare texts before and after neurons are held at zero."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.pairs import PAIRED, TEXTS, paired, texts
    from clampsweep.studies.backtracking.rules import read_rules
    from clampsweep.texts.gather import GENERATIONS
    from clampsweep.texts.metrics import TEXT_METRICS
    from clampsweep.texts.promptset import PROMPTS
    from clampsweep.texts.selection import read_selected

    given, output = snakemake.input, snakemake.output
    found = texts(
        tables.read(given.generations, GENERATIONS),
        tables.read(given.metrics, TEXT_METRICS),
        tables.read(given.prompts, PROMPTS),
        read_rules(given.rules),
        read_selected(given.selected).targets,
    )
    facts = provenance.record(code=snakemake.params.code)
    tables.write(found, output.texts, TEXTS, facts)
    tables.write(paired(found), output.paired, PAIRED, facts)
