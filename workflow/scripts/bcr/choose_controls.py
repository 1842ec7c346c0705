"""Choose the controls of a sweep's targets."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.studies.bcr.controls import write_controls
    from clampsweep.texts.selection import read_selected

    params, chosen = snakemake.params, list(snakemake.input.selected)
    write_controls(
        stats=Path(snakemake.input.stats),
        targets=read_selected(*chosen).targets if chosen else params.targets,
        number=params.number,
        seed=params.seed,
        matching=params.matching,
        code=params.code,
        table=Path(snakemake.output.controls),
    )
