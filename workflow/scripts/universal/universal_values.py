"""What needs the values themselves of every neuron, on some of the known domain's text."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal import pooled, values
    from clampsweep.studies.universal.sequences import of_domain
    from clampsweep.studies.universal.tokens import TOKENS

    params, output = snakemake.params, snakemake.output
    spec = ModelSpec(**params.model)
    model = load(Path(snakemake.input.model).parent, spec, snakemake.threads, "cpu")
    texts = of_domain(tables.read(snakemake.input.tokens, TOKENS), params.domain)
    facts = provenance.record(code=params.code)
    found = values.values(model, texts, params.skip, params.draws, params.seed)
    tables.write(found.values, output.values, values.VALUES, facts)
    tables.write(found.nulls, output.nulls, values.NULLS, facts)
    tables.write(pooled.pooled(model, texts[: params.texts]), output.pooled, pooled.POOLED, facts)
