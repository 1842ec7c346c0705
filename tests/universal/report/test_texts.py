"""The section on texts gives each domain's source, licence and size."""

from __future__ import annotations

import pandas as pd

from clampsweep.studies.universal.report.texts import section


def rows(domain: str, texts: list[str], documents: list[str], n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "domain": domain,
            "doc_id": documents,
            "block": range(len(texts)),
            "text": texts,
            "tokens": [[0] * n for _ in texts],
        }
    )


def test_sizes_by_hand():
    tokens = pd.concat(
        [
            rows("prose", ["x" * 40, "x" * 50], ["a", "a"], 10),
            rows("fr", ["é" * 15] * 2, ["b", "c"], 10),
        ]
    )
    domains = [
        {"name": "prose", "language": "en", "source": "a <book>", "licence": "none"},
        {"name": "fr", "language": "fr", "source": "here", "licence": "GPL-2+"},
    ]
    found = section(tokens, domains, 4)
    assert found.startswith("## The texts\n\n| domain |")
    assert "| prose | en | a \\<book\\> | none | 1 | 20 | 4.50 |" in found
    assert "| fr | fr | here | GPL-2+ | 2 | 20 | 1.50 |" in found
    assert "gives 2 sequences of 10 tokens" in found
    assert "in 2 blocks" in found
    assert "The first 4 positions" in found


def test_what_a_text_says_breaks_no_table():
    tokens = rows("a|b", ["x"], ["a"], 1)
    about = {"name": "a|b", "language": "en", "source": "c | d\n# e", "licence": "f"}
    line = section(tokens, [about], 0).splitlines()[4]
    assert line.replace("\\|", "").count("|") == 8
