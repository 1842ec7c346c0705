"""Write the files that the field expects: metrics.csv and extracted.tsv."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import tables
    from clampsweep.studies.bcr import exports
    from clampsweep.studies.bcr.recovery import RECOVERY
    from clampsweep.texts.gather import GENERATIONS
    from clampsweep.texts.metrics import TEXT_METRICS
    from clampsweep.texts.promptset import PROMPTS

    prompts = tables.read(snakemake.input.prompts, PROMPTS)
    generations = tables.read(snakemake.input.generations, GENERATIONS)
    metrics = tables.read(snakemake.input.metrics, TEXT_METRICS)
    recovery = tables.read(snakemake.input.recovery, RECOVERY)
    rows = exports.metrics_frame(prompts, generations, metrics, recovery)
    exports.write_csv(rows, snakemake.output.metrics)
    texts = exports.extracted_frame(prompts, generations)
    exports.write_csv(texts, snakemake.output.extracted, sep="\t")
