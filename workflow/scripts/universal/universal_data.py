"""Conclude from statistics of activations, draw them, and write their section."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance
    from clampsweep.figures.outputs import save_figures
    from clampsweep.studies.universal.claims.data import claims
    from clampsweep.studies.universal.data_view import read_view
    from clampsweep.studies.universal.figures.data import draw
    from clampsweep.studies.universal.report.data import section

    params, output = snakemake.params, snakemake.output
    view = read_view(snakemake.input, params.domain)
    found = ledger.conclusions(claims(view))
    facts = provenance.record(code=params.code)
    ledger.write(found, output.verdicts, output.ledger, facts)
    save_figures(draw(view, params.title), output)
    files.write_text(section(found.verdicts, view), output.section)
