"""Fetch a model into its folder, with its manifest."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.models.fetching import fetch
    from clampsweep.models.spec import ModelSpec

    fetch(ModelSpec(**snakemake.params.spec), Path(snakemake.output.digests).parent)
