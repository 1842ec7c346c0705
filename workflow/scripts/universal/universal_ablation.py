"""Ablate a model's universal neurons, and sets of neurons of like weights."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.universal.ablating import ablate
    from clampsweep.studies.universal.agreed_tables import ABLATION

    given, params = snakemake.input, snakemake.params
    folder, device = Path(given.model).parent, snakemake.resources.device
    found = ablate(given, folder, params.model, params.wanted, snakemake.threads, device)
    facts = provenance.record(code=params.code)
    tables.write(found, snakemake.output.ablation, ABLATION, facts)
