"""Choose events and controls like them."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.found_events import EVENTS
    from clampsweep.studies.backtracking.sampling import SAMPLES, samples
    from clampsweep.studies.backtracking.traces import TRACES

    params = snakemake.params
    found = samples(
        tables.read(snakemake.input.traces, TRACES),
        tables.read(snakemake.input.events, EVENTS),
        params.contrasts,
        params.controls,
        params.seed,
    )
    facts = provenance.record(seed=params.seed, code=params.code)
    tables.write(found, snakemake.output.samples, SAMPLES, facts)
