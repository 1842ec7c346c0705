"""Remove batches and shards that no entry uses."""

import logging
from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.shards.prune import prune_shards
    from clampsweep.texts.prune import prune

    removed = prune(Path("results"), [Path(path) for path in snakemake.input.plans])
    removed += prune_shards(Path("results"), [Path(path) for path in snakemake.input.shards])
    for path in removed:
        logging.info("removed %s", path)
    logging.info("%d files removed", len(removed))
