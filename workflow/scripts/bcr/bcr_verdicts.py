"""Draw the verdicts on an entry, and the ledger of their controls, from its tables."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import ledger, provenance
    from clampsweep.studies.bcr import verdict, view

    params, output = snakemake.params, snakemake.output
    files = dict(snakemake.input.items())
    sweep = view.read(files, params.detectors, title="", unlike=params.unlike)
    facts = provenance.record(code=params.code, detectors=params.detectors)
    ledger.write(verdict.judge(sweep), output.verdicts, output.ledger, facts)
