"""The study makes its own model: corpus, tokenizer, training, export."""
