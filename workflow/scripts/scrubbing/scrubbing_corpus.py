"""Collect a corpus from the packages that are installed, and check that it is the config's."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.scrubbing.making.corpus import check_digest, collect
    from clampsweep.studies.scrubbing.tables import CORPUS

    wanted, where = snakemake.params.corpus, "corpus"
    corpus = collect(wanted["packages"], where)
    check_digest(corpus, wanted["sha256"], where)
    facts = provenance.record(code=snakemake.params.code)
    tables.write(corpus, snakemake.output.corpus, CORPUS, facts)
