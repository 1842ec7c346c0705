"""Remove batches that no sweep uses."""

import logging
from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.texts.prune import prune

    removed = prune(Path("results"), [Path(path) for path in snakemake.input.plans])
    for path in removed:
        logging.info("removed %s", path)
    logging.info("%d files removed", len(removed))
