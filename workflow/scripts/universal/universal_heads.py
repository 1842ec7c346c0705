"""Conclude from the heads and the embedding, draw them, and write their section."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, ledger, provenance, tables
    from clampsweep.figures.outputs import save_figures
    from clampsweep.studies.universal.claims.heads import claims
    from clampsweep.studies.universal.embeddings import EMBEDDINGS, ROTATIONS
    from clampsweep.studies.universal.figures import heads as figures
    from clampsweep.studies.universal.heads import HEADS
    from clampsweep.studies.universal.report.heads import section

    given, params, output = snakemake.input, snakemake.params, snakemake.output
    heads, own = tables.read(given.heads, HEADS), tables.read(given.embeddings, EMBEDDINGS)
    turned = tables.read(given.rotations, ROTATIONS)
    found = ledger.conclusions(claims(heads, own, turned))
    facts = provenance.record(code=params.code)
    ledger.write(found, output.verdicts, output.ledger, facts)
    drawn = {"heads": figures.heads(found.verdicts, params.title)}
    drawn["embeddings"] = figures.embeddings(own, turned, params.title)
    save_figures(drawn, output)
    files.write_text(section(found.verdicts, heads, own, params.begins), output.section)
