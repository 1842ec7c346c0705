"""Fetch a model into its folder, with its manifest."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.config import ModelSpec
    from clampsweep.fetching import fetch

    fetch(ModelSpec(**snakemake.params.spec), Path(snakemake.output.digests).parent)
