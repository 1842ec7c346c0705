"""The texts that are shipped: enough of each, nothing twice, translations side by side."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from clampsweep.studies.universal.domains import documents, files_of

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "workflow/data/universal/texts"
DOMAINS = ("prose", "code", "news", "english", "french", "german", "spanish")
PARALLEL = DOMAINS[3:]
COMMON = {"english": "the", "french": "les", "german": "der", "spanish": "los"}


def rows(domain: str) -> list[dict[str, str]]:
    lines = gzip.decompress((TEXTS / f"{domain}.jsonl.gz").read_bytes()).decode().splitlines()
    return [json.loads(line) for line in lines]


def test_the_files_are_those_of_the_domains_and_small():
    found = {path.name for path in TEXTS.glob("*.gz")}
    assert found == {f"{domain}.jsonl.gz" for domain in DOMAINS}
    assert sum(path.stat().st_size for path in TEXTS.glob("*.gz")) <= 1_500_000


@pytest.mark.parametrize("domain", DOMAINS)
def test_there_is_text_for_64_sequences_of_256_tokens(domain):
    found = documents(domain, files_of(str(TEXTS / f"{domain}.jsonl.gz")))
    texts = [one.text for one in found]
    assert len(found) == len(rows(domain))  # nothing is blank, nothing stands there twice
    assert len({one.doc_id for one in found}) == len(found)
    # SmolLM2 makes 4.5 characters a token of English prose, and fewer of all else; what is left
    # over of a document is lost.
    longest = {"code": 3.6, "french": 3.2, "german": 3.0, "spanish": 3.2, "news": 4.2}
    size = 256 * longest.get(domain, 4.6)
    assert sum(int(len(text) / size) for text in texts) >= 64


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_paragraph_stands_there_twice(domain):
    if domain == "code":
        pytest.skip("source code repeats itself")
    every = [part for row in rows(domain) for part in row["text"].split("\n\n")]
    twice = [part for part, n in Counter(every).items() if n > 1 and len(part) > 150]
    assert not twice, twice[:3]


def test_translations_have_the_same_sections_and_paragraphs():
    english = rows("english")
    for language in PARALLEL[1:]:
        own = rows(language)
        assert [row["doc_id"] for row in own] == [row["doc_id"] for row in english]
        pairs = list(zip(own, english, strict=True))
        assert all(a["text"].count("\n\n") == b["text"].count("\n\n") for a, b in pairs)
        ratios = [len(a["text"]) / len(b["text"]) for a, b in pairs]
        assert 0.95 < min(ratios) < max(ratios) < 1.8


@pytest.mark.parametrize("language", PARALLEL)
def test_a_translation_is_in_its_language(language):
    words = Counter(re.findall(r"\w+", " ".join(row["text"] for row in rows(language)).lower()))
    own = words[COMMON[language]]
    assert all(own > 8 * words[other] for name, other in COMMON.items() if name != language)


def test_the_news_are_dated_2026():
    found = [row["text"] for row in rows("news")]
    n_articles = [len(re.findall(r", [A-Z][a-z.]+ \d{1,2}, 2026 - ", text)) for text in found]
    assert sum(n_articles) >= 60
    assert min(n_articles) >= 6
    assert not any(
        re.search(r"\b202[7-9], \d|\b20[2-9]\d - ", text.replace("2026 - ", "")) for text in found
    )


def test_code_is_python():
    for row in rows("code"):
        compile(row["text"], row["doc_id"], "exec", dont_inherit=True)


def test_the_readme_gives_sources_sizes_and_notices():
    said = (TEXTS / "README.md").read_text(encoding="utf-8")
    for domain in DOMAINS:
        own = rows(domain)
        n_characters = sum(len(row["text"]) for row in own)
        assert f"| `{domain}` | {len(own)} | {n_characters:,} |" in said
    for notice in ("debian-reference", "GPL-2", "jinja2", "httpx", "mpmath", "janeaustenr"):
        assert (TEXTS / f"licences/{notice}.txt").stat().st_size > 1000
    assert "Osamu Aoki" in (TEXTS / "licences/debian-reference.txt").read_text(encoding="utf-8")


def test_the_config_names_every_domain():
    content = yaml.safe_load((ROOT / "config/universal.yaml").read_text(encoding="utf-8"))
    named = content["universal"]["universal"]["texts"]["domains"]
    assert tuple(named) == DOMAINS
    for domain, about in named.items():
        assert (ROOT / about["file"]) == TEXTS / f"{domain}.jsonl.gz"
        assert set(about) == {"file", "source", "licence", "language"}
