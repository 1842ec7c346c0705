"""Cut an entry's examples, list its candidates, and score the model's heads."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.scrubbing import data
    from clampsweep.studies.scrubbing.head_scores import head_scores
    from clampsweep.studies.scrubbing.roles import HEADS, heads_table, resolve
    from clampsweep.studies.scrubbing.tables import CORPUS, EXAMPLES, TOKENS
    from clampsweep.studies.scrubbing.weights import from_model

    params, output = snakemake.params, snakemake.output
    folder, spec = Path(snakemake.input.model).parent, ModelSpec(**params.model)
    model = load(folder, spec, snakemake.threads, "cpu", neurons=False)
    weights, where = from_model(model.plain), params.where
    number, length = params.number, params.length
    if source := snakemake.input.get("corpus"):
        corpus = tables.read(source, CORPUS)
        found = data.cut_corpus(corpus, model.tokenizer, length, number, f"{where}.examples")
    else:
        found = data.cut_file(Path(snakemake.input.file), length, number, f"{where}.examples")
    if isinstance(params.candidates, str):
        chosen = data.read_chosen(Path(params.candidates), weights.d_vocab)
    else:
        chosen = data.choose(found.apart, weights.d_vocab, params.candidates, where)
    texts = [model.tokenizer.decode([token]) for token in range(weights.d_vocab)]
    scores = head_scores(weights, model.tokenizer.bos_token_id)
    heads = heads_table(scores, resolve(scores, params.thresholds))
    facts = provenance.record(code=params.code, model=model.manifest["digest"])
    tables.write(found.examples, output.examples, EXAMPLES, facts)
    tables.write(data.tokens_table(found.examples, texts, chosen), output.tokens, TOKENS, facts)
    tables.write(
        heads_table(scores, resolve(scores, params.thresholds)), output.heads, HEADS, facts
    )
