"""Try the sets of neurons on a part of the held-out events and their controls."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.loader import loader
    from clampsweep.studies.backtracking.rules import read_rules
    from clampsweep.studies.backtracking.sampling import SAMPLES
    from clampsweep.studies.backtracking.sets import SETS
    from clampsweep.studies.backtracking.tables import TRIALS
    from clampsweep.studies.backtracking.traces import TRACES
    from clampsweep.studies.backtracking.trials import part_of_trials

    given, params = snakemake.input, snakemake.params
    found = part_of_trials(
        loader(given.model, params.model, snakemake.threads, snakemake.resources.device),
        tables.read(given.samples, SAMPLES, {"contrast": snakemake.wildcards.contrast}),
        tables.read(given.traces, TRACES),
        tables.read(given.sets, SETS),
        read_rules(given.rules).lexicon,
        **params.trials,
    )
    tables.write(found, snakemake.output.trials, TRIALS, provenance.record(code=params.code))
