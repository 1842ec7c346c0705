"""Flag collapse, recovery and harm, and count them by clamp."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.bcr import recovery
    from clampsweep.studies.bcr.rates import RATES, rates
    from clampsweep.studies.bcr.recovery import RECOVERY
    from clampsweep.texts.gather import GENERATIONS
    from clampsweep.texts.metrics import TEXT_METRICS
    from clampsweep.texts.promptset import PROMPTS

    generations = tables.read(snakemake.input.generations, GENERATIONS)
    metrics = tables.read(snakemake.input.metrics, TEXT_METRICS)
    prompts = tables.read(snakemake.input.prompts, PROMPTS)
    rows = recovery.recovery(generations, metrics, snakemake.params.detectors)
    facts = provenance.record(code=snakemake.params.code, detectors=snakemake.params.detectors)
    tables.write(rows, snakemake.output.recovery, RECOVERY, facts)
    tables.write(rates(rows, prompts), snakemake.output.rates, RATES, facts)
