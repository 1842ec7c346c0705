"""Draw the figure of an entry, and write its summary."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, tables
    from clampsweep.figures.style import save_figure
    from clampsweep.markdown import page
    from clampsweep.studies.mystudy import figures
    from clampsweep.studies.mystudy.report import summary
    from clampsweep.verdicts import VERDICTS

    params, output = snakemake.params, snakemake.output
    found = tables.read(snakemake.input.verdicts, VERDICTS)
    drawn = [Path(path) for path in output if path not in (output.summary, output.html)]
    save_figure(figures.length(found, params.title), drawn)
    text = summary(found, params.title, params.files)
    files.write_text(text, output.summary)
    files.write_text(page(text, params.title), output.html)
