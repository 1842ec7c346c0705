"""The page of tokens: what is in it, and in Chromium, what it shows against the tables."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import chromium
from clampsweep.studies.scrubbing.attention_means import attention_table, key_totals, totals_table
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.page import page
from clampsweep.studies.scrubbing.saa import Attribution, attribution_table
from patience import PATIENCE

TEMPLATE = Path(__file__).parents[2] / "workflow/data/scrubbing/page.html"
TEXTS = (
    "<|begin|>", "</script><script>window.hacked = 1</script>", "<b>bold</b>", "\"'&amp;", "\n",
    "\t", "\u2028", "\N{REPLACEMENT CHARACTER}", "<!--", " word", "\u202eturned", "{{data}}", "",
    "<img src=x onerror='window.hacked = 1'>", "e\u0301", "\x07\r",
)  # fmt: skip
N_TOKENS, HEADS, DRAWS = 21, (3, 1), 8
PAIRS = (("unscrubbed", "baseline"), ("all+", "<i>all</i>"))
EXPERIMENTS = ("unscrubbed", "<i>all</i>")
NAMES = list(CATEGORIES)


class Tables:
    """Tables of some examples, drawn at random, and what they were made of."""

    def __init__(self, examples: tuple[int, ...] = (4, 9), n_tokens: int = N_TOKENS):
        rng = np.random.default_rng(0)
        saa, attention, totals = [], [], []
        self.tokens, self.mean, self.dloss, self.se, self.flags = {}, {}, {}, {}, {}
        for example in examples:
            tokens = rng.integers(1, len(TEXTS), n_tokens)
            tokens[0], self.tokens[example] = 0, tokens
            self.flags[example] = flags = rng.random((len(NAMES), n_tokens - 1)) < 0.4
            for pair in PAIRS:
                found = Attribution(rng.normal(0, 2, n_tokens), rng.random(n_tokens))
                self.dloss[example, pair], self.se[example, pair] = found
                saa.append(attribution_table(found, example, pair, tokens, flags, DRAWS))
            for name in EXPERIMENTS:
                mean = np.tril(rng.exponential(1, (4, n_tokens - 1, n_tokens - 1)) ** 3)
                self.mean[example, name] = mean = mean / mean.sum(-1, keepdims=True)
                attention.append(self._attention(mean, example, name))
                totals.append(totals_table(mean, example, name, tokens[:-1], HEADS))
            pair = [self.mean[example, name] for name in EXPERIMENTS]
            attention.append(self._attention(pair[0] - pair[1], example, *EXPERIMENTS))
        self.saa, self.attention, self.totals = map(pd.concat, (saa, attention, totals))

    def _attention(self, mean: np.ndarray, example: int, *names: str) -> pd.DataFrame:
        n_tokens = mean.shape[-1]
        return attention_table(mean, example, *names, heads=HEADS, n_tokens=n_tokens)

    def page(self, **changed: pd.DataFrame) -> str:
        given = {"saa": self.saa, "attention": self.attention, "totals": self.totals, **changed}
        words = {"title": "Heads of <b>it</b>", "about": "One & two.\n\nThree </p><script>."}
        template = TEMPLATE.read_text(encoding="utf-8")
        return page(**given, texts=TEXTS, heads=HEADS, **words, template=template)


class Read(HTMLParser):
    """Elements of a page with their attributes, and what is inside the scripts and the title."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.inside.append((self.elements[-1][0] if self.elements else "", data))


def data_of(html: str) -> dict[str, Any]:
    """The page's data, as its script reads them."""
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert len(found) == 1
    return json.loads(found[0])


def triangle(packed: str, n: int) -> np.ndarray:
    """Attention [query, key] of one example, experiment and head."""
    mean = np.zeros((n, n))
    mean[np.tril_indices(n)] = np.frombuffer(zlib.decompress(b64decode(packed)), "<u2") / 1000
    return mean


TABLES = Tables()
HTML = TABLES.page()


def test_texts_of_tokens_names_and_the_title_make_no_element():
    found, bare = Read(HTML), Read(TEMPLATE.read_text(encoding="utf-8"))
    tags = [tag for tag, _ in found.elements]
    assert tags.count("p") == [tag for tag, _ in bare.elements].count("p") + 2  # of `about`
    assert [tag for tag in tags if tag != "p"] == [t for t, _ in bare.elements if t != "p"]
    assert ("title", "Heads of <b>it</b>") in found.inside
    assert ("p", "Three </p><script>.") in found.inside


def test_texts_of_tokens_come_through_as_they_are():
    data = data_of(HTML)
    for one, tokens in zip(data["examples"], TABLES.tokens.values(), strict=True):
        assert one["tokens"] == tokens.tolist()
        assert [data["texts"][str(t)] for t in one["tokens"]] == [TEXTS[t] for t in tokens]


def test_the_page_names_nothing_that_would_have_to_be_fetched():
    found = Read(HTML)
    outside = {"src", "href", "srcset", "action", "data"}
    assert not [tag for tag, attributes in found.elements if outside & set(attributes)]
    assert not re.search(r"https?:|@import|url\(|\bimport\b|\bfetch\(", TEMPLATE.read_text("utf-8"))
    policy = next(a["content"] for _, a in found.elements if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy


def test_numbers_are_right_to_half_a_unit_of_the_last_digit_that_is_kept():
    data = data_of(HTML)
    assert [tuple(pair) for pair in data["pairs"]] == list(PAIRS)
    assert data["experiments"] == list(EXPERIMENTS) and data["heads"] == list(HEADS)
    for one in data["examples"]:
        number = one["number"]
        for pair, own in zip(PAIRS, one["saa"], strict=True):
            assert np.abs(own["dloss"] - TABLES.dloss[number, pair]).max() <= 0.5e-4
            assert np.abs(own["se"] - TABLES.se[number, pair]).max() <= 0.5e-4
            assert own["draws"] == DRAWS
        for row, name in enumerate(EXPERIMENTS):
            for column, head in enumerate(HEADS):
                mean = TABLES.mean[number, name]
                got = triangle(one["attention"][row][column], N_TOKENS - 1)
                assert np.abs(got - mean[head]).max() <= 0.5e-3
                total = key_totals(mean)[head]
                assert np.abs(one["totals"][row][column] - total).max() <= 0.5e-4


def test_a_token_has_its_categories():
    for one in data_of(HTML)["examples"]:
        assert one["categories"][0] == []  # the first token is no label
        for place, numbers in enumerate(one["categories"][1:]):
            held = np.flatnonzero(TABLES.flags[one["number"]][:, place])
            assert [list(data_of(HTML)["categories"])[n] for n in numbers] == [
                NAMES[n] for n in held
            ]


def test_what_a_table_lacks_is_nothing_and_not_0():
    saa = TABLES.saa.drop(columns="se").assign(se=np.nan)
    first_pair = saa[(saa["example"] == 4) | (saa["first"] == "unscrubbed")]
    attention = TABLES.attention[(TABLES.attention["example"] == 4)]
    totals = TABLES.totals[TABLES.totals["head"] == 3]
    four, nine = data_of(
        TABLES.page(saa=first_pair, attention=attention[attention["head"] == 1], totals=totals)
    )["examples"]
    assert nine["saa"][1] is None and nine["saa"][0]["se"] == [None] * N_TOKENS
    assert four["attention"][0][0] is None and four["attention"][0][1] is not None
    assert nine["attention"] == [[None, None]] * 2
    assert nine["totals"][0][0] is not None and nine["totals"][0][1] is None


@pytest.mark.parametrize(("size", "limit"), [(4.54, 5), (0.0231, 0.03), (2.0, 2), (70.1, 80)])
def test_the_colour_scale_ends_at_the_99th_percentile_rounded_up_to_a_digit(size, limit):
    dloss = np.full(len(TABLES.saa), size) * (-1) ** np.arange(len(TABLES.saa))
    assert data_of(TABLES.page(saa=TABLES.saa.assign(dloss=dloss)))["limit"] == limit
    assert data_of(TABLES.page(saa=TABLES.saa.assign(dloss=0.0)))["limit"] == 1


def test_an_example_of_300_tokens_takes_less_than_a_twentieth_of_10_megabytes():
    one = Tables(examples=(0,), n_tokens=301)
    assert len(one.page()) * 3 / 2 < 10e6 / 20  # of three heads


# ---- in Chromium


browser = chromium.browser


@pytest.fixture
def tab(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """The page as a file; in the end no script has failed, and nothing was asked for."""
    (tmp_path / "page.html").write_text(HTML, encoding="utf-8")
    address = (tmp_path / "page.html").as_uri()
    found, faults, asked = browser.new_page(), [], []
    found.set_default_timeout(PATIENCE * 1000)
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on("console", lambda message: faults.append(message.text))
    found.on("request", lambda request: asked.append(request.url))
    found.goto(address)
    found.wait_for_selector("body[data-ready]")
    yield found
    assert found.evaluate("window.hacked") is None
    assert faults == [] and asked == [address]
    found.close()


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-").replace("± ", ""))


def current(tab: Any) -> int:
    return int(tab.get_attribute("#tokens [aria-current]", "data-place"))


def keys(tab: Any) -> list[tuple[int, float]]:
    """The listed keys of the query, and the attention beside each."""
    rows = tab.locator("#attention tr").evaluate_all(
        "rows => rows.map(row => [row.cells[3].textContent, row.cells[1].textContent])"
    )
    return [(int(place), number(value)) for place, value in rows]


def bars(tab: Any) -> dict[int, float]:
    """Tokens that have a bar, and its size."""
    found = tab.locator("#tokens .bar").evaluate_all(
        "all => all.map(one => [one.dataset.place, (one.matches('.less') ? -1 : 1) *"
        " one.style.getPropertyValue('--weight')])"
    )
    return {int(place): weight for place, weight in found}


def check_attention(tab: Any, right: np.ndarray, tolerance: float) -> None:
    """The bars, and the list of the largest, are these numbers [key]."""
    shown, listed = bars(tab), keys(tab)
    assert all(abs(value - right[k]) <= tolerance for k, value in [*shown.items(), *listed])
    assert {k for k, value in enumerate(right) if abs(value) > 0.01 + tolerance} <= set(shown)
    sizes = np.sort(np.abs(right))[::-1][: len(listed)]
    assert listed
    assert np.allclose(np.abs([value for _, value in listed]), sizes, atol=tolerance)


def test_pointing_at_a_token_shows_the_numbers_of_the_tables(tab):
    dloss, se, mean = TABLES.dloss, TABLES.se, TABLES.mean
    assert tab.locator("#tokens button").count() == N_TOKENS
    assert current(tab) == np.argmax(dloss[4, PAIRS[0]])
    tab.hover("#tokens [data-place='13']")
    values = [number(one) for one in tab.locator("#attribution .dloss").all_inner_texts()]
    errors = [number(one) for one in tab.locator("#attribution .se").all_inner_texts()]
    assert np.allclose(values, [dloss[4, pair][13] for pair in PAIRS], atol=0.6e-3)
    assert np.allclose(errors, [se[4, pair][13] for pair in PAIRS], atol=0.6e-3)
    held = [NAMES[n] for n in np.flatnonzero(TABLES.flags[4][:, 12])]
    assert tab.locator("#attribution li").all_inner_texts() == held
    check_attention(tab, mean[4, "unscrubbed"][3, 13], 1.01e-3)

    # Another example, head, experiment and query; then the difference.
    tab.select_option("#example", "1")
    tab.select_option("#head-of", "1")
    tab.select_option("#from", "1")
    tab.select_option("#view", label="under <i>all</i>")
    tab.wait_for_selector("body[data-ready='4']")
    tab.hover("#tokens [data-place='17']")
    check_attention(tab, mean[9, "<i>all</i>"][1, 16], 1.01e-3)
    said = tab.inner_text("#totals .total")
    assert number(said.split()[-1].rstrip(".")) == pytest.approx(
        key_totals(mean[9, "<i>all</i>"])[1, 17], abs=0.6e-3
    )
    tab.select_option("#view", label="unscrubbed \N{MINUS SIGN} <i>all</i>")
    tab.wait_for_selector("body[data-ready='5']")
    tab.hover("#tokens [data-place='17']")  # a longer legend may have moved it
    check_attention(tab, mean[9, "unscrubbed"][1, 16] - mean[9, "<i>all</i>"][1, 16], 1.6e-3)

    # Colours: the sign and the share of the scale that is 1 at its end.
    tab.select_option("#pair", "1")
    limit = data_of(HTML)["limit"]
    for place, value in enumerate(dloss[9, PAIRS[1]]):
        name, share = tab.locator(f"#tokens [data-place='{place}']").evaluate(
            "one => [one.className, one.style.getPropertyValue('--share')]"
        )
        assert ("up" if value > 0 else "down") in name.split()
        assert float(share) == pytest.approx(min(1, abs(value) / limit), abs=1e-3)

    # A click pins; arrows move, and Esc lets go.
    tab.click("#tokens [data-place='5']")
    tab.hover("#tokens [data-place='8']")
    assert current(tab) == 5
    tab.keyboard.press("ArrowRight")
    assert current(tab) == 6
    assert tab.evaluate("document.activeElement.dataset.place") == "6"
    tab.keyboard.press("Home")
    assert current(tab) == 0 and "not predicted" in tab.inner_text("#attention")
    tab.keyboard.press("ArrowDown")
    assert current(tab) > 0
    tab.keyboard.press("Escape")
    tab.hover("#tokens [data-place='9']")
    assert current(tab) == 9
    tab.set_viewport_size({"width": 400, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") == 400
