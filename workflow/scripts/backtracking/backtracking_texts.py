"""Write texts before and after neurons are held at zero, side by side."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, tables
    from clampsweep.studies.backtracking.pairs import TEXTS
    from clampsweep.studies.backtracking.rules import read_rules
    from clampsweep.studies.backtracking.texts_page import texts_page

    given, params = snakemake.input, snakemake.params
    template = Path(given.template).read_text(encoding="utf-8")
    texts = tables.read(given.texts, TEXTS)
    page = texts_page(texts, params.title, params.about, template, read_rules(given.rules))
    files.write_text(page, snakemake.output.page)
