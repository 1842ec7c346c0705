"""Write an entry's summary, as Markdown and as a page, and its improvement report."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import markdown, tables
    from clampsweep.studies.bcr import view
    from clampsweep.studies.bcr.improvement_report import improvement_report
    from clampsweep.studies.bcr.summary import summary

    params, output = snakemake.params, snakemake.output
    sweep = view.read(dict(snakemake.input.items()), params.detectors, params.title)
    text = summary(sweep, params.files)
    tables.write_text(text, output.summary)
    tables.write_text(markdown.page(text, params.title), output.html)
    tables.write_text(improvement_report(sweep), output.improvement)
