"""Measure the neurons that discovery chose, on the texts that did not choose them."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal.features import tables as schemas
    from clampsweep.studies.universal.features.halves import halves
    from clampsweep.studies.universal.features.judged import judge
    from clampsweep.studies.universal.tokens import TOKENS

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    parts = halves(tables.read(given.tokens, TOKENS), **params.cut)
    spec, folder = ModelSpec(**params.model), Path(given.model).parent
    model = load(folder, spec, snakemake.threads, snakemake.resources.device)
    chosen = tables.read(given.candidates, schemas.CANDIDATES)
    truths = tables.read(given.truths, schemas.TRUTHS)
    found = judge(model, parts, chosen, truths, **params.draws)
    facts = provenance.record(code=params.code)
    for name, schema in schemas.CONFIRMED.items():
        tables.write(getattr(found, name), output[name], schema, facts)
