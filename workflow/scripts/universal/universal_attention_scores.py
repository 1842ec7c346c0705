"""How strongly each neuron moves scores of attention to BOS; an empty table without BOS."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal.roles.attention import no_scores, scores
    from clampsweep.studies.universal.roles.tables import ATTENTION_SCORES

    spec = ModelSpec(**snakemake.params.model)
    folder = Path(snakemake.input.model).parent
    begins = spec.prepend_bos
    found = scores(load(folder, spec, snakemake.threads, "cpu")) if begins else no_scores()
    facts = provenance.record(code=snakemake.params.code)
    tables.write(found, snakemake.output.scores, ATTENTION_SCORES, facts)
