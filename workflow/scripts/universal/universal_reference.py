"""Compare the weights of an entry's neurons with a published table."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance, tables
    from clampsweep.studies.universal.claims.reference import claims
    from clampsweep.studies.universal.published import REFERENCE, compare, read_published
    from clampsweep.studies.universal.report.reference import section
    from clampsweep.studies.universal.vocabulary import VOCABULARY
    from clampsweep.studies.universal.weights import WEIGHTS

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    weights, vocab = tables.read(given.weights, WEIGHTS), tables.read(given.vocab, VOCABULARY)
    published = read_published(given.reference)
    found = compare(published, weights, vocab, params.seed, given.reference)
    facts = provenance.record(code=params.code)
    tables.write(found, output.table, REFERENCE, facts)
    concluded = ledger.conclusions(claims(found))
    ledger.write(concluded, output.verdicts, output.ledger, facts)
    files.write_text(section(concluded.verdicts, found, given.reference), output.section)
