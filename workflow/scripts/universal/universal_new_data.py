"""Hold every neuron's statistics on new domains against those on known ones."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.universal.moment_shards import MomentShards
    from clampsweep.studies.universal.new_data import NEW_DATA, Pair, every_pair
    from clampsweep.studies.universal.tokens import TOKENS

    given, params = snakemake.input, snakemake.params
    made = [Path(path) for path in given.shards]
    tables.check_code(made, params.shards_code, "universal_moments")
    shards = MomentShards(Path(given.plan), made)
    pairs, texts = [Pair(*names) for names in params.pairs], tables.read(given.tokens, TOKENS)
    found = every_pair(shards, pairs, texts, params.draws, params.seed)
    facts = provenance.record(code=params.code, shards=[path.stem for path in made])
    tables.write(found, snakemake.output.table, NEW_DATA, facts)
