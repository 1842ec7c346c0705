"""Fetch a promptset by address and digest, and check that it can be read."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.texts import promptset

    params = snakemake.params
    promptset.fetch(params.url, params.sha256, Path(snakemake.output[0]))
    promptset.read(snakemake.output[0], params.format, params.template, params.id)
