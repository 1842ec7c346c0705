"""Choose a sweep's neurons by their baseline statistics."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.texts.request import Selection
    from clampsweep.texts.selection import write_selection

    neurons = snakemake.params.neurons
    write_selection(
        stats=Path(snakemake.input.stats),
        targets=Selection(**neurons) if isinstance(neurons, dict) else neurons,
        operation=snakemake.params.operation,
        output=Path(snakemake.output.selected),
    )
