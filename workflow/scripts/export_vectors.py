"""Write a sweep's vectors as an npz file without pickles."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import extracted, tables

    vectors = tables.read(snakemake.input.vectors, tables.VECTORS)
    extracted.write_vectors(vectors, snakemake.output.npz)
