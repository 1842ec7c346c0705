"""Join what the slices conclude: verdicts, the original's summary, the report."""

import json
from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance
    from clampsweep.markdown import page
    from clampsweep.studies.universal.joined import join, summary
    from clampsweep.studies.universal.report import summary as report

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    pairs = zip(given.verdicts, given.ledgers, strict=True)
    found = dict(zip(params.slices, (ledger.read(*pair) for pair in pairs), strict=True))
    parts = {name: one.verdicts for name, one in found.items()}
    joined = join(list(found.values()))
    facts = provenance.record(code=params.code)
    ledger.write(joined, output.verdicts, output.ledger, facts)
    files.write_text(json.dumps(summary(parts), indent=1), output.json)
    sections = [Path(path).read_text(encoding="utf-8") for path in given.sections]
    text = report.summary(joined, parts, sections, params.title, params.files)
    files.write_text(text, output.summary)
    files.write_text(page(text, params.title), output.html)
