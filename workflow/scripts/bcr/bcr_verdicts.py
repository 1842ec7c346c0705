"""Draw the verdicts on an entry from its tables."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.bcr import verdict, view
    from clampsweep.verdicts import VERDICTS

    sweep = view.read(dict(snakemake.input.items()), snakemake.params.detectors, title="")
    facts = provenance.record(code=snakemake.params.code, detectors=snakemake.params.detectors)
    tables.write(verdict.verdicts(sweep), snakemake.output.verdicts, VERDICTS, facts)
