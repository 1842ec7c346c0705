"""Name the sets of neurons that are changed: top, last and matched random ones."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.loader import loader
    from clampsweep.studies.backtracking.output_norms import output_norms
    from clampsweep.studies.backtracking.position_kinds import PRED
    from clampsweep.studies.backtracking.ranking import NEURONS
    from clampsweep.studies.backtracking.sets import SETS, no_sets, sets

    params = snakemake.params
    neurons = tables.read(snakemake.input.neurons, NEURONS, {"position_kind": PRED})
    found = no_sets()
    if len(neurons):
        model = loader(snakemake.input.model, params.model, snakemake.threads)()
        found = sets(neurons, output_norms(model), **params.sets)
    tables.write(found, snakemake.output.sets, SETS, provenance.record(code=params.code))
