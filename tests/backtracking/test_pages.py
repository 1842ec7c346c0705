"""Both pages in Chromium: what they show against the tables, and that hostile texts do nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chromium
from backtracking import made_pages
from backtracking.page_data import data_of, template
from clampsweep.studies.backtracking.strips_page import strips_page
from clampsweep.studies.backtracking.texts_page import texts_page
from patience import PATIENCE

STRIPS, TEXTS = made_pages.strips(), made_pages.texts()
STRIPS_PAGE = strips_page(STRIPS, "<b>tiny</b>", "A.", template("strips"), made_pages.traces())
TEXTS_PAGE = texts_page(TEXTS, "<b>tiny</b>", "A.", template("texts"))
PHONE = {"width": 390, "height": 800}


browser = chromium.browser


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Opens a page as a file; in the end no script has failed, and nothing was asked for."""
    opened, faults, asked = [], [], []

    def open_page(html: str) -> Any:
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        tab = browser.new_page()
        opened.append(tab)
        tab.set_default_timeout(PATIENCE * 1000)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda message: faults.append(message.text))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto((tmp_path / "page.html").as_uri())
        tab.wait_for_selector("body[data-ready]")
        return tab

    yield open_page
    for tab in opened:
        assert tab.evaluate("window.hacked") is None
        assert tab.locator("img, b, i:not(.scale i, .share i)").count() == 0
        tab.close()
    assert faults == [] and len(asked) == len(opened)


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def of_neuron(trace: str, layer: int) -> np.ndarray:
    own = STRIPS[(STRIPS["trace_id"] == trace) & (STRIPS["layer"] == layer)]
    return own.sort_values("position")["value"].to_numpy()


def current(tab: Any) -> int:
    return int(tab.get_attribute("#tokens [aria-current]", "data-place"))


def test_tokens_have_the_colours_and_events_of_the_table(visit):
    tab = visit(STRIPS_PAGE)
    values, limit = of_neuron("chain/p1/0", 12), data_of(STRIPS_PAGE)["limits"][0]
    shown = tab.locator("#tokens [role=button]").evaluate_all(
        "all => all.map(one => [one.className, one.style.getPropertyValue('--share')])"
    )
    assert len(shown) == len(values)
    for (name, share), value in zip(shown, values, strict=True):
        assert ("up" if value > 0 else "down") in name.split()
        assert float(share) == pytest.approx(min(1, abs(value) / limit), abs=2e-3)
    own = STRIPS[(STRIPS["trace_id"] == "chain/p1/0") & (STRIPS["layer"] == 12)]
    assert [("event" in name.split()) for name, _ in shown] == own["event"].tolist()
    assert current(tab) == own["event"].to_numpy().argmax()  # the first event


def test_a_neuron_and_a_trace_are_chosen_and_pointing_shows_values(visit):
    tab = visit(STRIPS_PAGE)
    tab.select_option("#trace", "1")
    options = tab.locator("#neuron option").all_inner_texts()
    assert options == ["L12N340", "L3N15", "L8N1"]  # L7N3 is not followed here
    tab.select_option("#neuron", label="L8N1")
    tab.hover("#tokens [data-place='13']")
    shown = dict(zip(tab.locator("#values tr td:last-child").all_inner_texts(),
                     map(number, tab.locator("#values .value").all_inner_texts()),
                     strict=True))  # fmt: skip
    for name, layer in {"L12N340": 12, "L3N15": 3, "L8N1": 8}.items():
        assert shown[name] == pytest.approx(of_neuron("written/p2/gross", layer)[13], rel=6e-3)
    listed = list(map(number, tab.locator("#highest .value").all_inner_texts()))
    sizes = np.sort(np.abs(of_neuron("written/p2/gross", 8)))[::-1][: len(listed)]
    np.testing.assert_allclose(np.abs(listed), sizes, rtol=6e-3)
    assert "problem p2, written" in tab.inner_text("#trace-says")
    tab.select_option("#trace", "0")
    assert "L7N3" in tab.locator("#neuron option").all_inner_texts()


def test_keys_clicks_and_lists_move_through_the_trace(visit):
    tab = visit(STRIPS_PAGE)
    tab.click("#tokens [data-place='5']")
    tab.hover("#tokens [data-place='8']")
    assert current(tab) == 5
    tab.keyboard.press("ArrowRight")
    assert current(tab) == 6
    tab.keyboard.press("Home")
    assert current(tab) == 0
    tab.keyboard.press("ArrowDown")
    assert current(tab) > 0
    tab.keyboard.press("Escape")
    tab.hover("#tokens [data-place='9']")
    assert current(tab) == 9
    tab.click("#next")
    assert current(tab) == data_of(STRIPS_PAGE)["traces"][0]["events"][0]
    tab.click("#highest tbody tr:first-child")
    assert current(tab) == np.abs(of_neuron("chain/p1/0", 12)).argmax()
    tab.click("#values tr:last-child")
    assert tab.evaluate("document.getElementById('neuron').selectedOptions[0].text") == "L7N3"


def test_signs_that_turn_or_hide_writing_are_pictured(visit):
    tab = visit(STRIPS_PAGE)
    said = tab.inner_text("#tokens")
    assert "U+202Eturned" in said and "U+E0041" in said and "\u202e" not in said
    assert "</script><script>window.hacked = 1</script>" in said
    texts = visit(TEXTS_PAGE)
    texts.select_option("#pair", "2")
    said = texts.inner_text("#sides")
    assert "U+202Eturned" in said and "\u202e" not in said and "<!--" in said


def test_texts_stand_side_by_side_and_part_where_they_differ(visit):
    tab = visit(TEXTS_PAGE)
    assert tab.locator("#sides .text").all_inner_texts() == [
        made_pages.BEFORE, made_pages.AFTER
    ]  # fmt: skip
    assert tab.locator("#sides .parts").all_inner_texts() == ["Wait,", "Then"]
    assert tab.locator("#sides .same").all_inner_texts() == [made_pages.BEGINNING] * 2
    events = tab.locator("#sides article:first-child .event").all_inner_texts()
    assert "".join(events) == "Wait, that is not right."
    facts = tab.locator("#sides .changed").all_inner_texts()
    assert [one.split() for one in facts[:2]] == [["Events", "1"], ["Right", "answer", "yes"]]


def test_pairs_are_gone_through_and_those_of_random_sets_too(visit):
    tab = visit(TEXTS_PAGE)
    assert tab.is_disabled("#back")
    tab.click("#next")
    assert "2 of 6 pairs" in tab.inner_text("#says")
    tab.select_option("#pair", label="p3, seed 0: events 1 → 1")
    assert "the same to the end" in tab.inner_text("#says")
    tab.select_option("#pair", label="p3, seed 1: events 1 → 1")
    assert "(ends here)" in tab.locator("#sides .text").all_inner_texts()[1]
    tab.check("#only")
    assert tab.locator("#pair option").count() == 4  # of p1 and p2
    tab.uncheck("#only")
    tab.select_option("#against", label="a random set at zero")
    assert tab.locator("#sides .text").all_inner_texts()[1].endswith("Also.")  # draw 0


@pytest.mark.parametrize("html", [STRIPS_PAGE, TEXTS_PAGE], ids=["strips", "texts"])
def test_a_phone_shows_a_page_without_scrolling_aside(visit, html):
    tab = visit(html)
    tab.set_viewport_size(PHONE)
    if html is TEXTS_PAGE:
        tab.select_option("#pair", "2")
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_pages_without_anything_to_show_say_so(visit):
    strips = visit(strips_page(STRIPS[:0], "t", "a", template("strips")))
    assert "Insufficient events" in strips.inner_text("#nothing")
    assert not strips.is_visible("#controls")
    texts = visit(texts_page(TEXTS[:0], "t", "a", template("texts")))
    assert "no texts before and after" in texts.inner_text("#nothing")
