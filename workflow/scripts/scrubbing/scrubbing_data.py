"""Cut an entry's examples, list its candidates, and score the model's heads."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.scrubbing.preparing import prepare
    from clampsweep.studies.scrubbing.published import read_published, read_texts
    from clampsweep.studies.scrubbing.roles import HEADS
    from clampsweep.studies.scrubbing.tables import EXAMPLES, TOKENS
    from clampsweep.studies.scrubbing.weights import from_model

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    if params.published:
        weights, tokenizer = read_published(Path(params.published)), None
        texts = read_texts(Path(params.published), weights.d_vocab)
    else:
        spec, threads = ModelSpec(**params.model), snakemake.threads
        model = load(Path(given.model).parent, spec, threads, "cpu", neurons=False)
        weights, tokenizer = from_model(model.plain), model.tokenizer
        texts = [tokenizer.decode([token]) for token in range(weights.d_vocab)]
    found = prepare(weights, tokenizer, texts, Path(given.source), params.wanted)
    facts = provenance.record(code=params.code)
    tables.write(found.examples, output.examples, EXAMPLES, facts)
    tables.write(found.tokens, output.tokens, TOKENS, facts)
    tables.write(found.heads, output.heads, HEADS, facts)
