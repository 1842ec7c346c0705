"""Conclude from the features of tokens, draw them, and write their section."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance, tables
    from clampsweep.figures.outputs import save_figures
    from clampsweep.studies.universal.claims.features import Setting, claims
    from clampsweep.studies.universal.features.tables import CONFIRMED, HISTOGRAM
    from clampsweep.studies.universal.figures.features import drawn
    from clampsweep.studies.universal.report.features import section

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    own = {name: tables.read(given[name], schema) for name, schema in CONFIRMED.items()}
    features, neurons, planted, positions = own.values()
    found = ledger.conclusions(claims(features, planted, positions, Setting(**params.setting)))
    ledger.write(found, output.verdicts, output.ledger, provenance.record(code=params.code))
    counts = tables.read(given.histogram, HISTOGRAM)
    save_figures(drawn(features, counts, found.verdicts, params.title), output)
    text = section(features, neurons, planted, positions, found.verdicts)
    files.write_text(text, output.section)
