"""Name the controls of a sweep for its plan."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.studies.bcr.controls import write_names

    write_names(
        table=Path(snakemake.input.controls),
        stats=Path(snakemake.input.stats),
        operation=snakemake.params.operation,
        selected=Path(snakemake.output.selected),
    )
