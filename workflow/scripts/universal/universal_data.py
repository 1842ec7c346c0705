"""Conclude from statistics of activations, draw them, and write their section."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance
    from clampsweep.figures.style import save_figure
    from clampsweep.studies.universal.claims.data import claims
    from clampsweep.studies.universal.data_view import read_view
    from clampsweep.studies.universal.figures.data import draw
    from clampsweep.studies.universal.report.data import section

    params, output = snakemake.params, snakemake.output
    view = read_view(snakemake.input, params.domain)
    found = ledger.conclusions(claims(view))
    facts = provenance.record(code=params.code)
    ledger.write(found, output.verdicts, output.ledger, facts)
    for name, figure in draw(view, params.title).items():
        save_figure(figure, [Path(path) for path in output if Path(path).stem == name])
    files.write_text(section(found.verdicts, view), output.section)
