"""Measure the weights of every neuron, and what it does to the vocabulary."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal import gated, vocabulary, weights

    params, output = snakemake.params, snakemake.output
    spec = ModelSpec(**params.model)
    model = load(Path(snakemake.input.model).parent, spec, snakemake.threads, "cpu")
    facts = provenance.record(code=params.code)
    found = weights.weights(model)
    tables.write(found, output.weights, weights.WEIGHTS, facts)
    own, counts = gated.both(model, found, params.seed)
    tables.write(own, output.gated, gated.GATED, facts)
    tables.write(counts, output.gated_layers, gated.GATED_LAYERS, facts)
    vocab, null = vocabulary.vocabulary(model, params.directions, params.seed)
    tables.write(vocab, output.vocab, vocabulary.VOCABULARY, facts)
    tables.write(null, output.null, vocabulary.VOCABULARY_NULL, facts)
