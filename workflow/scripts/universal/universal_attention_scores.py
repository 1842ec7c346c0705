"""How strongly each neuron moves scores of attention to BOS; an empty table without BOS."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal.no_rows import no_rows
    from clampsweep.studies.universal.roles.attention import scores
    from clampsweep.studies.universal.roles.tables import ATTENTION_SCORES

    spec = ModelSpec(**snakemake.params.model)
    folder = Path(snakemake.input.model).parent
    found = no_rows(ATTENTION_SCORES)
    if spec.prepend_bos:
        found = scores(load(folder, spec, snakemake.threads, "cpu"))
    facts = provenance.record(code=snakemake.params.code)
    tables.write(found, snakemake.output.scores, ATTENTION_SCORES, facts)
