"""Write the summary of an entry, and its traces token by token."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, tables
    from clampsweep.markdown import page
    from clampsweep.studies.backtracking.report import written_summary
    from clampsweep.studies.backtracking.strips_page import strips_page
    from clampsweep.studies.backtracking.traces import TRACES
    from clampsweep.studies.backtracking.view import joined_strips

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    text = written_summary(given, params)
    files.write_text(text, output.summary)
    files.write_text(page(text, params.title), output.html)
    template = Path(given.template).read_text(encoding="utf-8")
    strips = joined_strips(given.strips, params.contrasts)
    traces = tables.read(given.traces, TRACES)
    traces = traces[traces["trace_id"].isin(strips["trace_id"])]
    text = strips_page(strips, params.title, params.about, template, traces)
    files.write_text(text, output.strips)
