"""What is kept of the texts."""

KEPT = {
    "un_tokens.parquet": "the token sequences that everything is measured on",
    "blocks.json": "the blocks of documents, as the moments are made of them",
    "texts/section.md": "the domains: source, licence, size",
}
