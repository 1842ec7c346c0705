"""Generate the texts of one batch of combinations."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep.generation.batch import generate
    from clampsweep.models.spec import ModelSpec
    from clampsweep.texts.speed import FILE

    generate(
        batch=Path(snakemake.input.batch),
        model_folder=Path(snakemake.input.model).parent,
        spec=ModelSpec(**snakemake.params.model),
        threads=snakemake.threads,
        device=snakemake.resources.device,
        rows_per_forward=snakemake.resources.rows_per_forward,
        scratch=Path(f"results/.scratch/{snakemake.wildcards.batch}-{snakemake.params.code}"),
        code=snakemake.params.code,
        generations=Path(snakemake.output.generations),
        vectors=Path(snakemake.output.vectors),
        speeds=FILE,
    )
