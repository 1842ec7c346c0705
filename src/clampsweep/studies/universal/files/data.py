"""What is kept of the statistics of activations."""

KEPT = {
    "un_stats.parquet": "mean, variance, skewness, kurtosis, frequency of each neuron, by domain",
    "un_reliability.parquet": "how alike halves of the text rank neurons, by layer",
    "un_halves.parquet": "the same over all layers, with intervals",
    "un_convergence.parquet": "kurtosis over more and more text",
    "un_values.parquet": "L-kurtosis, sign of the largest activations, the paper's binned moments",
    "un_product_null.parquet": "kurtosis of post activations with up permuted against the gate",
    "un_pooled.parquet": "kurtosis of pooled values, against the largest possible",
    "un_gt2.parquet": "each new domain against the known one",
    "data/verdicts.parquet": "what of it is concluded",
    "data/ledger.parquet": "the controls of that",
    "data/section.md": "the part of the summary",
}

FIGURES = {
    "convergence": "kurtosis over more and more text",
    "new_data": "new domains against known ones",
    "layers": "kurtosis of gate and post activations by layer",
}
