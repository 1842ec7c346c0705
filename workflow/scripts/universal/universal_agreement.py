"""Conclude, report and draw what the agreement with other models says."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance, tables
    from clampsweep.figures.outputs import save_figures
    from clampsweep.studies.universal.agreed import read
    from clampsweep.studies.universal.agreed_tables import ABLATION
    from clampsweep.studies.universal.claims.agreement import claims
    from clampsweep.studies.universal.figures.agreement import figures
    from clampsweep.studies.universal.gt1_tables import NEURONS
    from clampsweep.studies.universal.report.agreement import section

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    found, facts = read(dict(given.items())), provenance.record(code=params.code)
    tables.write(found.ablation, output.ablation, ABLATION, facts)
    ledger.write(ledger.conclusions(claims(found)), output.verdicts, output.ledger, facts)
    files.write_text(section(found, params.cut), output.section)
    neurons = tables.read(given.neurons, NEURONS)
    save_figures(figures(found, neurons, params.cut, params.title), output)
