"""Spotlight resonance of a sweep's vectors: groups, curves and differences of pairs."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.srm import resonance
    from clampsweep.srm_config import Srm

    params, output = snakemake.params, snakemake.output
    vectors = tables.read(snakemake.input.vectors, tables.VECTORS)
    prompts = tables.read(snakemake.input.prompts, tables.PROMPTS)
    found = resonance(vectors, prompts, Srm(**params.srm))
    facts = provenance.record(code=params.code, srm=params.srm)
    tables.write(found.groups, output.groups, tables.SRM_GROUPS, facts)
    tables.write(found.curves, output.curves, tables.SRM_CURVES, facts)
    tables.write(found.differences, output.differences, tables.SRM_DIFFERENCES, facts)
