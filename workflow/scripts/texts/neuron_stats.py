"""Compute every neuron's statistics over a sweep's baseline texts."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.generation.neuron_stats import compute_statistics
    from clampsweep.models.spec import ModelSpec
    from clampsweep.texts.request import PromptFormat

    compute_statistics(
        plan=Path(snakemake.input.plan),
        prompts=Path(snakemake.input.prompts),
        batches=[Path(path) for path in snakemake.input.generations],
        model_folder=Path(snakemake.input.model).parent,
        spec=ModelSpec(**snakemake.params.model),
        prompt_format=PromptFormat.of(snakemake.params.prompt_format),
        threads=snakemake.threads,
        device=snakemake.resources.device,
        code=snakemake.params.code,
        output=Path(snakemake.output.stats),
    )
