"""What is kept of heads and embedding dimensions."""

KEPT = {
    "un_heads.parquet": "norms and spectra of each head's circuits, and where it looks",
    "un_embeddings.parquet": "kurtosis of each dimension of the embedding over the vocabulary",
    "un_rotations.parquet": "the same of random bases: mean and maximum",
    "heads/verdicts.parquet": "what of it is concluded",
    "heads/ledger.parquet": "the controls of that",
    "heads/section.md": "the part of the summary",
}

FIGURES = {
    "heads": "weights of heads beside where they look",
    "embeddings": "kurtosis of embedding dimensions against random bases",
}
