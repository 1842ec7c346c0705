"""What is kept of features of tokens."""

KEPT = {
    "un_features.parquet": "features of tokens, and for each the neuron that responds most",
    "un_feature_neurons.parquet": "the five neurons that respond most to each feature",
    "un_feature_histogram.parquet": "how much any feature explains of each neuron, beside chance",
    "un_position_neurons.parquet": "neurons whose firing tells most of position",
    "features/candidates.parquet": "the neurons that discovery chose",
    "features/planted_neurons.parquet": "neurons that features were planted by",
    "features/planted.parquet": "what became of the planted features",
    "features/verdicts.parquet": "what of it is concluded",
    "features/ledger.parquet": "the controls of that",
    "features/section.md": "the part of the summary",
}

FIGURES = {
    "features_best": "the features that a neuron explains best",
    "features_confirmation": "variance reduction on the texts that chose and on those that did not",
    "features_histogram": "how much any feature explains of each neuron, beside chance",
}
