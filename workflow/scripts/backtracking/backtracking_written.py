"""Write the graded traces of an entry from their templates."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.templates import read_templates
    from clampsweep.studies.backtracking.written import STEPS, WRITTEN, written

    params, output = snakemake.params, snakemake.output
    found = written(read_templates(snakemake.input.templates), params.seed, params.per_split)
    facts = provenance.record(seed=params.seed, code=params.code)
    tables.write(found.traces, output.written, WRITTEN, facts)
    tables.write(found.steps, output.steps, STEPS, facts)
