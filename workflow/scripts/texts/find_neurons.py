"""Name the neurons of a sweep that a table of roles has found."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.texts.found import write_found

    write_found(
        path=Path(snakemake.input.roles),
        role=snakemake.params.role,
        top=snakemake.params.top,
        operation=snakemake.params.operation,
        stats=Path(snakemake.input.stats),
        output=Path(snakemake.output.selected),
    )
