"""Look at all neurons for those that respond to features of tokens: discovery."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal.features.halves import halves
    from clampsweep.studies.universal.features.scan import scan
    from clampsweep.studies.universal.features.tables import CANDIDATES, HISTOGRAM, TRUTHS
    from clampsweep.studies.universal.tokens import TOKENS

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    parts = halves(tables.read(given.tokens, TOKENS), **params.cut)
    spec, device = ModelSpec(**params.model), snakemake.resources.device
    model = load(Path(given.model).parent, spec, snakemake.threads, device)
    found = scan(model, parts.discovery, **params.draws)
    facts = provenance.record(code=params.code)
    tables.write(found.candidates, output.candidates, CANDIDATES, facts)
    tables.write(found.truths, output.truths, TRUTHS, facts)
    tables.write(found.histogram, output.histogram, HISTOGRAM, facts)
