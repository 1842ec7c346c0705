"""Choose candidates of each role, and their controls."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.universal.features.tables import FEATURE_NEURONS
    from clampsweep.studies.universal.neuron_table import STATS
    from clampsweep.studies.universal.roles import candidates
    from clampsweep.studies.universal.roles import tables as roles
    from clampsweep.studies.universal.values import VALUES
    from clampsweep.studies.universal.vocabulary import VOCABULARY
    from clampsweep.studies.universal.weights import WEIGHTS

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    stats = tables.read(given.stats, STATS, {"domain": params.domain, "var": "post"})
    weights, words = tables.read(given.weights, WEIGHTS), tables.read(given.vocab, VOCABULARY)
    known = candidates.neurons(weights, words, stats, tables.read(given.values, VALUES))
    scores = tables.read(given.scores, roles.ATTENTION_SCORES)
    features = tables.read(given.features[0], FEATURE_NEURONS) if given.features else None
    found = candidates.choose(known, scores, features, **params.numbers)
    facts = provenance.record(code=params.code)
    tables.write(found.roles, output.roles, roles.ROLES, facts)
    tables.write(found.controls, output.controls, roles.CONTROLS, facts)
