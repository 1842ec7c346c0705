"""End thinking before each event of the model's own traces, and read the answer."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.early_exit import exits, own_events
    from clampsweep.studies.backtracking.found_events import EVENTS
    from clampsweep.studies.backtracking.loader import loader
    from clampsweep.studies.backtracking.tables import EXITS
    from clampsweep.studies.backtracking.traces import TRACES

    given, params = snakemake.input, snakemake.params
    traces = tables.read(given.traces, TRACES)
    events = own_events(tables.read(given.events, EVENTS), traces)
    loaded = loader(given.model, params.model, snakemake.threads, snakemake.resources.device)
    found = exits(loaded, traces, events)
    tables.write(found, snakemake.output.exits, EXITS, provenance.record(code=params.code))
