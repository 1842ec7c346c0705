"""Rank the neurons of a contrast, and test the top ones on held-out events."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.backtracking.captured import Captured
    from clampsweep.studies.backtracking.held_areas import HELDOUT
    from clampsweep.studies.backtracking.heldout import DIRECTIONS, rank_contrast
    from clampsweep.studies.backtracking.ranking import NEURONS
    from clampsweep.studies.backtracking.sampling import SAMPLES

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    shards = [Path(path) for path in given.shards]
    tables.check_code(shards, params.shards_code, "backtracking_activations")
    wanted = {"contrast": snakemake.wildcards.contrast}
    samples = tables.read(given.samples, SAMPLES, wanted)
    captured = Captured(Path(given.plan), shards, params.d_mlp)
    found = rank_contrast(captured, params.n_layers, samples, **params.ranking)
    facts = provenance.record(shards=[path.stem for path in shards], code=params.code)
    tables.write(found.neurons, output.neurons, NEURONS, facts)
    tables.write(found.heldout, output.heldout, HELDOUT, facts)
    tables.write(found.directions, output.directions, DIRECTIONS, facts)
