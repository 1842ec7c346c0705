"""What is kept of the agreement with other models."""

KEPT = {
    "un_corr.parquet": "excess correlation of each neuron with other models; which are universal",
    "un_corr_pairs.parquet": "each neuron's best match in each other model, and its baselines",
    "un_corr_nulls.parquet": "the same by shifted text, by rotations; permuted copies",
    "un_neurons.parquet": "statistics and weights of each neuron over all domains, a row a neuron",
    "un_gt1.parquet": "universal neurons against neurons of like weights, each statistic",
    "un_base_rates.parquet": "base rates of all neurons, as the original reports them",
    "un_persistence.parquet": "universal neurons at checkpoints; without rows if none are named",
    "un_ablation.parquet": "loss and divergence without universal neurons; without rows likewise",
    "agreement/verdicts.parquet": "verdicts of this part",
    "agreement/ledger.parquet": "their controls",
    "agreement/section.md": "this part of the summary",
}

FIGURES = {
    "excess_correlation": "how well neurons match those of other models, beside chance",
    "universal_neurons": "statistics of universal neurons within their layers",
    "persistence": "universal neurons at checkpoints of the training",
}
