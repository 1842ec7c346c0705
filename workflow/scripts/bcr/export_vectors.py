"""Write a sweep's vectors as an npz file without pickles."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import tables
    from clampsweep.studies.bcr import exports
    from clampsweep.texts.gather import VECTORS

    vectors = tables.read(snakemake.input.vectors, VECTORS)
    exports.write_vectors(vectors, snakemake.output.npz)
