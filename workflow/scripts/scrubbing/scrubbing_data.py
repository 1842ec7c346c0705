"""Cut an entry's examples, list its candidates, and score the model's heads."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.scrubbing.preparing import prepare, ready
    from clampsweep.studies.scrubbing.roles import HEADS
    from clampsweep.studies.scrubbing.tables import EXAMPLES, TOKENS

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    wanted = {**params.wanted, "where": snakemake.resources.where}
    model = ready(Path(given.model).parent, params.model, snakemake.threads)
    found = prepare(model, Path(given.source), wanted)
    facts = provenance.record(code=params.code)
    tables.write(found.examples, output.examples, EXAMPLES, facts)
    tables.write(found.tokens, output.tokens, TOKENS, facts)
    tables.write(found.heads, output.heads, HEADS, facts)
