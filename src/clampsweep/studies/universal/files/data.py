"""What is kept of the statistics of activations."""

KEPT = {
    "un_stats.parquet": "moments of every neuron in every domain",
    "un_reliability.parquet": "of each layer: do two halves of the text rank neurons alike",
    "un_halves.parquet": "the same of all layers together; growth with text; negative gates",
    "un_convergence.parquet": "kurtosis over more and more text, beside the largest possible",
    "un_values.parquet": "L-kurtosis, largest values, product null, the paper's bins",
    "un_nulls.parquet": "kurtosis of products of gate and up by chance",
    "un_pooled.parquet": "kurtosis of pooled values, beside the largest possible",
    "un_gt2.parquet": "every neuron on new domains against itself on known ones",
    "data/verdicts.parquet": "what of it is concluded",
    "data/ledger.parquet": "the controls of that",
    "data/section.md": "the part of the summary",
}

FIGURES = {
    "kurtosis_tokens": "kurtosis over more and more text; of pooled values, beside the possible",
    "kurtosis_layers": "kurtosis of gate and post over layers, percentile bands",
    "log_ratios": "statistics on new domains against known ones, with intervals",
    "domain_ranks": "ranks of neurons by kurtosis, known domain against new",
}
