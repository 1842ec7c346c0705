"""Find the events of all traces, and say how many traces go back and how well rules see it."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.detector import DETECTOR, detector, read_sentences
    from clampsweep.studies.backtracking.found_events import EVENTS, events
    from clampsweep.studies.backtracking.rates import RATES, rates
    from clampsweep.studies.backtracking.rules import read_rules
    from clampsweep.studies.backtracking.traces import TRACES
    from clampsweep.studies.backtracking.written import STEPS

    given, output = snakemake.input, snakemake.output
    rules, steps = read_rules(given.rules), given.get("steps")
    traces = tables.read(given.traces, TRACES)
    found = events(traces, rules, steps and tables.read(steps, STEPS))
    facts = provenance.record(rules=rules.version, code=snakemake.params.code)
    tables.write(found, output.events, EVENTS, facts)
    tables.write(rates(traces, found), output.rates, RATES, facts)
    tested = detector(read_sentences(given.sentences), rules)
    tables.write(tested, output.detector, DETECTOR, facts)
