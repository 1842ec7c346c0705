"""Count collapse among baselines in the chat format."""

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.studies.bcr.chat_baselines import CHAT_BASELINES, chat_baselines
    from clampsweep.texts.gather import GENERATIONS
    from clampsweep.texts.promptset import PROMPTS

    generations = tables.read(snakemake.input.generations, GENERATIONS)
    chats = tables.read(snakemake.input.chats, GENERATIONS)
    prompts = tables.read(snakemake.input.prompts, PROMPTS)
    frame = chat_baselines(generations, chats, prompts, snakemake.params.detectors)
    facts = provenance.record(code=snakemake.params.code, detectors=snakemake.params.detectors)
    tables.write(frame, snakemake.output.chat_baselines, CHAT_BASELINES, facts)
