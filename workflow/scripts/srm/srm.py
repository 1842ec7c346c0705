"""Spotlight resonance of an entry's vectors: groups, curves, differences of pairs, verdicts."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import ledger, provenance, tables
    from clampsweep.studies.srm.curves import SRM_CURVES, SRM_GROUPS
    from clampsweep.studies.srm.differences import SRM_DIFFERENCES
    from clampsweep.studies.srm.plane import Srm
    from clampsweep.studies.srm.resonance import resonance
    from clampsweep.studies.srm.verdict import judge
    from clampsweep.texts.gather import VECTORS
    from clampsweep.texts.promptset import PROMPTS

    params, output = snakemake.params, snakemake.output
    vectors = tables.read(snakemake.input.vectors, VECTORS)
    prompts = tables.read(snakemake.input.prompts, PROMPTS)
    found = resonance(vectors, prompts, plane := Srm(**params.srm))
    facts = provenance.record(code=params.code, srm=params.srm)
    tables.write(found.groups, output.groups, SRM_GROUPS, facts)
    tables.write(found.curves, output.curves, SRM_CURVES, facts)
    tables.write(found.differences, output.differences, SRM_DIFFERENCES, facts)
    said = judge(found.groups, found.differences, plane)
    ledger.write(said, output.verdicts, output.ledger, facts)
