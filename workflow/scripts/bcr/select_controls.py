"""Name the controls of a sweep for its plan."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.studies.bcr.controls import write_names

    write_names(
        table=Path(snakemake.input.controls),
        stats=Path(snakemake.input.stats),
        best_clamps=Path(snakemake.input.best_clamps),
        operation=snakemake.params.operation,
        values=snakemake.params.values_of_all,
        best_clamp=snakemake.params.best_clamp,
        selected=Path(snakemake.output.selected),
    )
