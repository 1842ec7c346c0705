"""What is kept of the comparison with a published table."""

KEPT = {
    "un_reference.parquet": "statistics of weights beside those of a published table",
    "reference/verdicts.parquet": "what of it is concluded",
    "reference/ledger.parquet": "the controls of that",
    "reference/section.md": "the part of the summary",
}
