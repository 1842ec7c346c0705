"""Follow the top neurons of a contrast token by token."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.heldout import DIRECTIONS
    from clampsweep.studies.backtracking.loader import loader
    from clampsweep.studies.backtracking.ranking import NEURONS
    from clampsweep.studies.backtracking.sampling import SAMPLES
    from clampsweep.studies.backtracking.tables import AROUND, SPANS, STRIPS
    from clampsweep.studies.backtracking.values import follow, seen_traces

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    found = follow(
        loader(given.model, params.model, snakemake.threads),
        tables.read(given.samples, SAMPLES, {"contrast": snakemake.wildcards.contrast}),
        seen_traces(given.traces, given.events),
        tables.read(given.neurons, NEURONS),
        tables.read(given.directions, DIRECTIONS),
        **params.follow,
    )
    for name, schema in (("around", AROUND), ("strips", STRIPS), ("spans", SPANS)):
        facts = provenance.record(code=params.code)
        tables.write(getattr(found, name), output[name], schema, facts)
