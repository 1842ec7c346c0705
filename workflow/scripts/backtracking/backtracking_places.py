"""List the places where activations are captured."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import tables
    from clampsweep.shards.shard import write_items
    from clampsweep.studies.backtracking.places import items
    from clampsweep.studies.backtracking.sampling import SAMPLES
    from clampsweep.studies.backtracking.traces import TRACES

    samples = tables.read(snakemake.input.samples, SAMPLES)
    traces = tables.read(snakemake.input.traces, TRACES)
    write_items(items(samples, traces), Path(snakemake.output.listed))
