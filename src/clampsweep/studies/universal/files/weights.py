"""What is kept of the weights."""

KEPT = {
    "un_weights.parquet": "norms, bias and cosines of each neuron's weights, raw and folded",
    "un_vocab.parquet": "what each neuron does to the vocabulary: moments of cosines with W_U",
    "un_vocab_null.parquet": "the same of random directions",
    "un_gated.parquet": "input-output class of each gated neuron",
    "un_gated_layers.parquet": "how many of each class, by layer; rotated weights beside it",
    "weights/verdicts.parquet": "what of it is concluded",
    "weights/ledger.parquet": "the controls of that",
    "weights/section.md": "the part of the summary",
}

FIGURES = {
    "vocabulary": "what neurons do to the vocabulary, by layer",
    "gated": "input-output classes of gated neurons, by layer",
}
