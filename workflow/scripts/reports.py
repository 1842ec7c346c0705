"""Write a sweep's summary, as Markdown and as a page, and its improvement report."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import markdown, report, tables, view

    params, output = snakemake.params, snakemake.output
    seen = view.read(snakemake.input, params.detectors, params.title)
    summary = report.summary(seen, params.files)
    tables.write_text(summary, output.summary)
    tables.write_text(markdown.page(summary, params.title), output.html)
    tables.write_text(report.improvement_report(seen), output.improvement)
