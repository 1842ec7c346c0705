"""Join the traces of all sources, with their tokens and answers."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.hugging_face import load_tokenizer
    from clampsweep.studies.backtracking.sources import raw_traces
    from clampsweep.studies.backtracking.traces import TRACES, Encoding, traces
    from clampsweep.texts.request import PromptFormat

    given, params = snakemake.input, snakemake.params
    formats = {name: PromptFormat.of(one) for name, one in params.formats.items()}
    raw = raw_traces(given, params.chains, formats)
    tokenizer = load_tokenizer(Path(given.model).parent, "model")
    encoding = Encoding(tokenizer, params.prepend_bos, params.model)
    found = traces(raw, encoding, formats, snakemake.threads)
    facts = provenance.record(code=params.code)
    tables.write(found, snakemake.output.traces, TRACES, facts)
