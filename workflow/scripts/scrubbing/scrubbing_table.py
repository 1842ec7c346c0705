"""Add an entry's losses up: loss recovered, curves, two heads, cells, verdicts and ledger."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance, tables
    from clampsweep.studies.scrubbing.concluding import TABLES, conclude
    from clampsweep.studies.scrubbing.reading import read
    from clampsweep.studies.scrubbing.recovered import original_layout

    params, output, given = snakemake.params, snakemake.output, snakemake.input
    shards = {name: [Path(path) for path in given[name]] for name in params.shards_code}
    for name, code in params.shards_code.items():
        tables.check_code(shards[name], code, f"scrubbing_{name}")
    found = conclude(given, read(params.hypotheses), params.two_heads, params.seed)
    ids = [path.stem for own in shards.values() for path in own]
    facts = provenance.record(code=params.code, shards=ids)
    for name, schema in TABLES.items():
        tables.write(getattr(found, name), output[name], schema, facts)
    files.write_text(original_layout(found.table), output.text)
    ledger.write(found.concluded, output.verdicts, output.ledger, facts)
