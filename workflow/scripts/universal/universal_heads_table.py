"""Measure attention heads, and the dimensions of the embedding."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal import embeddings, heads, tokens

    params, output = snakemake.params, snakemake.output
    spec = ModelSpec(**params.model)
    model = load(Path(snakemake.input.model).parent, spec, snakemake.threads, "cpu")
    texts = tokens.of_domain(tables.read(snakemake.input.tokens, tokens.TOKENS), params.domain)
    facts = provenance.record(code=params.code)
    found = heads.heads(model, texts[: params.sequences], params.skip)
    tables.write(found, output.heads, heads.HEADS, facts)
    rows = embeddings.known_rows(model, params.seed)
    turned = embeddings.rotated(rows, params.rotations, params.seed)
    tables.write(turned, output.rotations, embeddings.ROTATIONS, facts)
    own = embeddings.embeddings(rows, turned)
    tables.write(own, output.embeddings, embeddings.EMBEDDINGS, facts)
