"""Write a sweep's summary, as Markdown and as a page, and its improvement report."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import markdown, tables
    from clampsweep.studies.bcr import summary as summary_module
    from clampsweep.studies.bcr import view
    from clampsweep.studies.bcr.improvement_report import improvement_report

    params, output = snakemake.params, snakemake.output
    seen = view.read(snakemake.input, params.detectors, params.title)
    summary = summary_module.summary(seen, params.files)
    tables.write_text(summary, output.summary)
    tables.write_text(markdown.page(summary, params.title), output.html)
    tables.write_text(improvement_report(seen), output.improvement)
