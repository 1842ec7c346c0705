"""Hold the candidates of a role and their controls, and measure what changes."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.loading import load
    from clampsweep.models.spec import ModelSpec
    from clampsweep.studies.universal.roles import tables as roles
    from clampsweep.studies.universal.roles.interventions import intervene
    from clampsweep.studies.universal.tokens import TOKENS

    given, params = snakemake.input, snakemake.params
    model = load(Path(given.model).parent, ModelSpec(**params.model), snakemake.threads, "cpu")
    schemas = {"tokens": TOKENS, "roles": roles.ROLES, "controls": roles.CONTROLS}
    schemas["scores"] = roles.ATTENTION_SCORES
    read = {name: tables.read(given[name], schema) for name, schema in schemas.items()}
    found = intervene(model, snakemake.wildcards.role, read, params.wanted)
    facts = provenance.record(code=params.code)
    tables.write(found, snakemake.output.table, roles.INTERVENTIONS, facts)
