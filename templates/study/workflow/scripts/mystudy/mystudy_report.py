"""Draw the figure of an entry, and write its summary."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, tables
    from clampsweep.figures.style import save_figure
    from clampsweep.markdown import page
    from clampsweep.studies.mystudy import figures
    from clampsweep.studies.mystudy.report import summary
    from clampsweep.studies.mystudy.tables import LOSSES

    params, output = snakemake.params, snakemake.output
    concluded = ledger.read(snakemake.input.verdicts, snakemake.input.ledger)
    drawn = [Path(path) for path in output if path not in (output.summary, output.html)]
    save_figure(figures.length(concluded.verdicts, params.title), drawn)
    losses = tables.read(snakemake.input.losses, LOSSES)
    text = summary(concluded, losses, params.title, params.files)
    files.write_text(text, output.summary)
    files.write_text(page(text, params.title), output.html)
