"""Follow the top neurons of a contrast token by token."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.backtracking.found_events import EVENTS
    from clampsweep.studies.backtracking.heldout import DIRECTIONS
    from clampsweep.studies.backtracking.ranking import NEURONS
    from clampsweep.studies.backtracking.sampling import SAMPLES
    from clampsweep.studies.backtracking.tables import AROUND, SPANS, STRIPS
    from clampsweep.studies.backtracking.traces import TRACES
    from clampsweep.studies.backtracking.values import follow

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    found = follow(
        lambda: load(Path(given.model).parent, ModelSpec(**params.model), snakemake.threads, "cpu"),
        tables.read(given.samples, SAMPLES, {"contrast": snakemake.wildcards.contrast}),
        tables.read(given.traces, TRACES),
        tables.read(given.events, EVENTS),
        tables.read(given.neurons, NEURONS),
        tables.read(given.directions, DIRECTIONS),
        **params.follow,
    )
    facts = provenance.record(code=params.code)
    for name, schema in (("around", AROUND), ("strips", STRIPS), ("spans", SPANS)):
        tables.write(getattr(found, name), output[name], schema, facts)
