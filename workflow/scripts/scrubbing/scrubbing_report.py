"""Draw the figures of an entry, and write its summary and the page of its tokens."""

import json
from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, tables
    from clampsweep.markdown import page
    from clampsweep.studies.scrubbing.faithfulness import CURVES
    from clampsweep.studies.scrubbing.recovered import RECOVERED
    from clampsweep.studies.scrubbing.report import Tables, summary
    from clampsweep.studies.scrubbing.tables import SAA, TOKENS, TOTALS
    from clampsweep.studies.scrubbing.two_heads import TWO_HEADS, attribution_correlation

    given, output, params = snakemake.input, snakemake.output, snakemake.params
    tokens = tables.read(given.tokens, TOKENS).sort_values("token")
    saa = tables.read(given.saa, SAA)
    found = Tables(
        table=tables.read(given.table, RECOVERED),
        curves=tables.read(given.curves, CURVES),
        two_heads=tables.read(given.two_heads, TWO_HEADS),
        totals=tables.read(given.totals, TOTALS),
        resolved=json.loads(Path(given.hypotheses).read_text(encoding="utf-8")),
        texts=tokens["text"].tolist(),
        correlation=attribution_correlation(saa, *params.two_heads),
    )
    concluded = ledger.read(given.verdicts, given.ledger)
    text = summary(found, concluded, params.two_heads, params.title, params.files)
    files.write_text(text, output.summary)
    files.write_text(page(text, params.title), output.html)
