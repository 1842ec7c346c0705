"""Add an entry's losses up: loss recovered, curves, two heads, cells, verdicts and ledger."""

import json
from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance, tables
    from clampsweep.studies.scrubbing.data import read_data
    from clampsweep.studies.scrubbing.faithfulness import CURVES, curves_table
    from clampsweep.studies.scrubbing.judge import judge
    from clampsweep.studies.scrubbing.reading import read
    from clampsweep.studies.scrubbing.recovered import RECOVERED, original_layout, recovered_table
    from clampsweep.studies.scrubbing.tallying import CELL_HARM, cell_harm, tally_losses
    from clampsweep.studies.scrubbing.two_heads import TWO_HEADS, two_heads

    params, output, given = snakemake.params, snakemake.output, snakemake.input
    listed, data = read(params.hypotheses), read_data(Path(given.examples).parent)
    resolved = json.loads(Path(given.hypotheses).read_text(encoding="utf-8"))
    losses, cells = ([Path(path) for path in given[name]] for name in ("losses", "cells"))
    for name, paths in (("losses", losses), ("cells", cells)):
        tables.check_code(paths, params.shards_code[name], f"scrubbing_{name}")
    names = list(resolved["experiments"])
    tally = tally_losses(Path(given.losses_plan), losses, data, names, params.seed)
    table, curve = recovered_table(tally), resolved["curve"]
    shards = [path.stem for path in (*losses, *cells)]
    facts = provenance.record(code=params.code, shards=shards)
    tables.write(table, output.table, RECOVERED, facts)
    files.write_text(original_layout(table), output.text)
    sizes = curves_table(tally.means, list(curve), list(curve.values()))
    tables.write(sizes, output.curves, CURVES, facts)
    pair = two_heads(tally.means, *params.two_heads)
    tables.write(pair, output.two_heads, TWO_HEADS, facts)
    harm = cell_harm(Path(given.cells_plan), cells, data, params.seed)
    tables.write(harm, output.cell_harm, CELL_HARM, facts)
    found = judge(tally, listed.hypotheses, params.two_heads)
    ledger.write(found, output.verdicts, output.ledger, facts)
