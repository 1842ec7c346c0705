"""List the blocks of sequences that moments are made of."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import tables
    from clampsweep.shards.shard import write_items
    from clampsweep.studies.universal.sequences import items
    from clampsweep.studies.universal.tokens import TOKENS

    found = tables.read(snakemake.input.tokens, TOKENS)
    write_items(items(found, snakemake.params.skip), Path(snakemake.output.listed))
