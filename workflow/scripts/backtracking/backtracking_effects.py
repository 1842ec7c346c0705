"""What sets of neurons do to the onset, from all trials of a contrast."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    import pandas as pd

    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.effects import EFFECTS, effects, onset_logit
    from clampsweep.studies.backtracking.held_areas import HELDOUT
    from clampsweep.studies.backtracking.tables import TRIALS

    parts = [tables.read(path, TRIALS) for path in snakemake.input.trials]
    trials = pd.concat(parts, ignore_index=True)
    facts = provenance.record(code=snakemake.params.code)
    tables.write(effects(trials), snakemake.output.effects, EFFECTS, facts)
    logit = onset_logit(trials, snakemake.params.seed)
    tables.write(logit, snakemake.output.logit, HELDOUT, facts)
