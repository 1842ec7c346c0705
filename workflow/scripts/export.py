"""Write the files that the field expects: metrics.csv and extracted.tsv."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import extracted, tables

    prompts = tables.read(snakemake.input.prompts, tables.PROMPTS)
    generations = tables.read(snakemake.input.generations, tables.GENERATIONS)
    metrics = tables.read(snakemake.input.metrics, tables.TEXT_METRICS)
    recovery = tables.read(snakemake.input.recovery, tables.RECOVERY)
    rows = extracted.metrics_frame(prompts, generations, metrics, recovery)
    extracted.write_csv(rows, snakemake.output.metrics)
    texts = extracted.extracted_frame(prompts, generations)
    extracted.write_csv(texts, snakemake.output.extracted, sep="\t")
