"""Measure attention heads, and the dimensions of the embedding."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal import embeddings, heads
    from clampsweep.studies.universal.sequences import of_domain
    from clampsweep.studies.universal.tokens import TOKENS

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    model = load(Path(given.model).parent, ModelSpec(**params.model), snakemake.threads, "cpu")
    texts = of_domain(tables.read(given.tokens, TOKENS), params.domain)
    facts = provenance.record(code=params.code)
    own = heads.heads(model, texts[: params.sequences], params.skip)
    tables.write(own, output.heads, heads.HEADS, facts)
    rows = embeddings.known_rows(model, params.seed)
    turned = embeddings.rotated(rows, params.rotations, params.seed)
    tables.write(turned, output.rotations, embeddings.ROTATIONS, facts)
    kurtosis = embeddings.embeddings(rows, turned)
    tables.write(kurtosis, output.embeddings, embeddings.EMBEDDINGS, facts)
