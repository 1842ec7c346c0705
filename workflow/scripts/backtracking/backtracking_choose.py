"""Name the sets of neurons that are held at zero while texts are generated."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    import pandas as pd

    from clampsweep import tables
    from clampsweep.studies.backtracking.sets import SETS, names
    from clampsweep.texts.selection import write_selected

    params = snakemake.params
    found = names(tables.read(snakemake.input.sets, SETS), params.top, params.random_sets)
    write_selected(found, "zero", pd.DataFrame(), Path(snakemake.output.selected))
