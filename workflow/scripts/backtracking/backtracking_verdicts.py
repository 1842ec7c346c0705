"""Conclude on all contrasts of an entry."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import ledger, provenance, tables
    from clampsweep.studies.backtracking.claims import judge
    from clampsweep.studies.backtracking.pairs import PAIRED
    from clampsweep.studies.backtracking.tables import EXITS
    from clampsweep.studies.backtracking.view import contrasts_of

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    paired = given.get("paired")
    found = judge(
        contrasts_of(given, params.contrasts, tuple(params.minimum), params.top),
        paired and tables.read(paired, PAIRED),
        tables.read(given.exits, EXITS),
    )
    ledger.write(found, output.verdicts, output.ledger, provenance.record(code=params.code))
