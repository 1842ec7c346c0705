"""Write the summary of an entry."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files
    from clampsweep.markdown import page
    from clampsweep.studies.scrubbing.report import summary
    from clampsweep.studies.scrubbing.view import read_view

    output, params = snakemake.output, snakemake.params
    view = read_view({name: Path(path) for name, path in snakemake.input.items()})
    text = summary(view, params.two_heads, params.title, params.files)
    files.write_text(text, output.summary)
    files.write_text(page(text, params.title), output.html)
