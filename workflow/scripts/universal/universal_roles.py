"""Conclude from the interventions, draw them, and write their section."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from pandas import concat

    from clampsweep import files, ledger, provenance, tables
    from clampsweep.figures.outputs import save_figures
    from clampsweep.studies.universal.claims.roles import claims
    from clampsweep.studies.universal.figures import roles as figures
    from clampsweep.studies.universal.report.roles import section
    from clampsweep.studies.universal.roles.tables import INTERVENTIONS, ROLES

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    rows = concat(tables.read(path, INTERVENTIONS) for path in given.parts)
    facts = provenance.record(code=params.code)
    tables.write(rows, output.table, INTERVENTIONS, facts)
    found = ledger.conclusions(claims(rows, params.begins))
    ledger.write(found, output.verdicts, output.ledger, facts)
    drawn = {"role_effects": figures.effects(rows, params.title)}
    drawn["entropy_curves"] = figures.curves(rows, params.title)
    save_figures(drawn, output)
    text = section(found.verdicts, tables.read(given.roles, ROLES), rows, params.begins)
    files.write_text(text, output.section)
