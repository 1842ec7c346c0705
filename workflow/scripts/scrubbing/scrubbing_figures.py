"""Draw the figures of an entry, and write the page of its tokens."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files
    from clampsweep.figures.outputs import save_figures
    from clampsweep.studies.scrubbing.figures.drawn import draw
    from clampsweep.studies.scrubbing.page import page
    from clampsweep.studies.scrubbing.reading import read
    from clampsweep.studies.scrubbing.view import read_view

    given, output, params = snakemake.input, snakemake.output, snakemake.params
    view = read_view({name: Path(path) for name, path in given.items()})
    drawn = draw(view, read(params.hypotheses), params.two_heads, params.title)
    save_figures(drawn, output)
    template = Path(given.template).read_text(encoding="utf-8")
    text = page(
        view.saa, view.attention, view.totals, view.texts, view.induction, params.title,
        params.about, template,
    )  # fmt: skip
    files.write_text(text, output.page)
