"""Write a sweep's vectors as an npz file without pickles."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import tables
    from clampsweep.studies.bcr import extracted
    from clampsweep.texts.gather import VECTORS

    vectors = tables.read(snakemake.input.vectors, VECTORS)
    extracted.write_vectors(vectors, snakemake.output.npz)
