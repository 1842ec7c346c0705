"""Write an entry's summary, as Markdown and as a page, and its improvement report."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, markdown
    from clampsweep.studies.bcr import view
    from clampsweep.studies.bcr.improvement_report import improvement_report
    from clampsweep.studies.bcr.summary import summary

    params, output = snakemake.params, snakemake.output
    files_of = dict(snakemake.input.items())
    sweep = view.read(files_of, params.detectors, params.title, params.unlike)
    text = summary(sweep, params.files)
    files.write_text(text, output.summary)
    files.write_text(markdown.page(text, params.title), output.html)
    files.write_text(improvement_report(sweep), output.improvement)
