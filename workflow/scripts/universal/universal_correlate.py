"""Hold a model's neurons against those of another on the entry's texts."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.universal.pair_tables import NULLS, PAIRS
    from clampsweep.studies.universal.pairs import compare
    from clampsweep.studies.universal.tokens import TOKENS

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    tokens = tables.read(given.tokens, TOKENS)
    folders = Path(given.model).parent, Path(given.other).parent
    device = snakemake.resources.device
    found = compare(tokens, folders, params.models, params.wanted, snakemake.threads, device)
    facts = provenance.record(code=params.code)
    tables.write(found.pairs.assign(other=snakemake.wildcards.other), output.pairs, PAIRS, facts)
    tables.write(found.nulls.assign(other=snakemake.wildcards.other), output.nulls, NULLS, facts)
