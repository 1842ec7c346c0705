"""Conclude from the weights, draw them, and write their section."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance, tables
    from clampsweep.figures.outputs import save_figures
    from clampsweep.studies.universal.claims.weights import claims
    from clampsweep.studies.universal.figures import weights as figures
    from clampsweep.studies.universal.gated import GATED_LAYERS
    from clampsweep.studies.universal.report.weights import section
    from clampsweep.studies.universal.vocabulary import VOCABULARY, VOCABULARY_NULL

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    vocab, null = tables.read(given.vocab, VOCABULARY), tables.read(given.null, VOCABULARY_NULL)
    gated = tables.read(given.gated, GATED_LAYERS)
    found = ledger.conclusions(claims(vocab, null, gated))
    ledger.write(found, output.verdicts, output.ledger, provenance.record(code=params.code))
    drawn = {"vocabulary": figures.vocabulary(vocab, null, params.title)}
    drawn["gated"] = figures.gated(gated, params.title)
    save_figures(drawn, output)
    files.write_text(section(found.verdicts, vocab), output.section)
