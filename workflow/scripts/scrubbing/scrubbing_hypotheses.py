"""Resolve an entry's hypotheses: which heads have which role, and what each hypothesis keeps."""

import json

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, provenance, tables
    from clampsweep.studies.scrubbing.reading import read
    from clampsweep.studies.scrubbing.resolved import resolved
    from clampsweep.studies.scrubbing.roles import HEADS, resolve, scores_of

    heads, params = tables.read(snakemake.input.heads, HEADS), snakemake.params
    roles = resolve(scores_of(heads), params.thresholds)
    found = resolved(read(params.hypotheses), roles, params.hypotheses)
    facts = provenance.record(code=params.code)
    tables.write(heads, snakemake.output.heads, HEADS, facts)
    files.write_text(json.dumps(found, indent=1), snakemake.output.hypotheses)
