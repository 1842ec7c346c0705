"""The Results tab in a browser: a sweep is opened, filtered, drawn, downloaded and read."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from pathlib import Path

import pytest

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
gr = pytest.importorskip("gradio")
api = pytest.importorskip("playwright.sync_api")

from clampsweep.explorer import results_figure, results_pages, tab_results  # noqa: E402
from factories import baseline, generation, prompt  # noqa: E402
from patience import PATIENCE  # noqa: E402
from sweep_tables import BROKEN, FINE, HOSTILE, make, write  # noqa: E402

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
CSS = sorted(Path(tab_results.__file__).parent.glob("*.css"))


def sweep():
    """Prompts a (core one) and b (core hostile), each at -5 and +10; b's text at +10 is hostile."""
    own = [
        prompt("Say a", "a", core="one", type="declarative", level=1),
        prompt(HOSTILE, "b", core=HOSTILE, type="rhetorical", level=2),
    ]
    rows = [baseline("a", BROKEN), baseline("b", FINE)]
    rows += [generation("a", FINE, -5.0), generation("a", BROKEN, 10.0)]
    rows += [generation("b", BROKEN, -5.0), generation("b", HOSTILE, 10.0)]
    return make(rows, ("surface", "entropy"), own)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("results")
    write(sweep(), found / "tiny")
    write(sweep(), found / "zdamaged")
    (found / "zdamaged" / "recovery.parquet").write_bytes(b"PAR1")
    write(sweep(), found / "a-first-by-name")
    for name, age in (("tiny", 0), ("zdamaged", 60), ("a-first-by-name", 120)):
        made = time.time() - age
        os.utime(found / name / "verdicts.parquet", (made, made))
    return found


@pytest.fixture(scope="module")
def serve():
    """Function from a results folder to the address of a page that holds the tab alone."""
    started = []

    def start(folder):
        with gr.Blocks(analytics_enabled=False) as demo:
            with gr.Tab("First"):
                gr.HTML("Something else.")
            with gr.Tab("Results") as tab:
                tab_results.build(folder, tab)
        _, url, _ = demo.queue().launch(quiet=True, prevent_thread_lock=True, css_paths=CSS)
        started.append(demo)
        return url

    yield start
    for demo in started:
        demo.close()


@pytest.fixture(scope="module")
def address(serve, folder):
    return serve(folder)


@pytest.fixture(scope="module")
def browser():
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser):
    """An empty page; at the end, nothing of a table has run and nothing came from elsewhere."""
    context = browser.new_context(accept_downloads=True)
    found = context.new_page()
    found.set_default_timeout(PATIENCE * 1000)
    asked = []
    found.on("request", lambda request: asked.append(request.url))
    yield found
    assert found.evaluate("window.hacked") is None
    elsewhere = [
        url for url in asked if not re.match(r"(https?://(127|localhost)|data:|blob:)", url)
    ]
    assert not elsewhere
    context.close()


def picture(page):
    return page.locator("#results-picture img")


def cell(page, name):
    return page.get_by_role("button", name=name, exact=True)


def open_tab(page, address):
    page.goto(address)
    page.get_by_role("tab", name="Results").click()


def show_texts(page, address):
    open_tab(page, address)
    api.expect(picture(page)).to_be_visible()
    page.get_by_role("tab", name="Texts").click()
    cell(page, "a, L1N2 -5: rescued").wait_for()


def choose(page, field, option):
    field = page.locator(f"#results-{field}")
    field.locator("input").click()
    field.get_by_role("option", name=option).click()


def test_the_newest_sweep_is_open_with_its_dose_curve(page, address):
    open_tab(page, address)
    api.expect(picture(page)).to_have_attribute("alt", re.compile("rescues .* tiny: tiny, L1N2"))
    assert page.locator("#results-sweep input").input_value().startswith("tiny, made 20")
    api.expect(page.locator("#results-status")).to_contain_text("All 2 prompts")


def test_a_figure_is_chosen_and_downloaded(page, address, tmp_path):
    open_tab(page, address)
    api.expect(picture(page)).to_be_visible()
    choose(page, "figure", "State of every text")
    api.expect(picture(page)).to_have_attribute("alt", re.compile("State of every text"))
    assert picture(page).evaluate("image => image.complete && image.naturalWidth") > 300
    for ending, start in (("SVG", b"<?xml"), ("PNG", b"\x89PNG")):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=f"Download {ending}").click()
        file = tmp_path / ending
        waiting.value.save_as(file)
        assert waiting.value.suggested_filename == f"tiny-tiny-L1N2-set-states.{ending.lower()}"
        assert file.read_bytes().startswith(start)


def test_a_figure_is_chosen_by_keys_and_each_choice_draws_once(page, address, monkeypatch):
    drawn, draw = [], results_figure.figure
    open_tab(page, address)
    api.expect(picture(page)).to_be_visible()
    monkeypatch.setattr(
        results_figure, "figure", lambda *args: drawn.append(args[1]) or draw(*args)
    )
    field = page.locator("#results-figure input")
    field.click()
    field.fill("State of")
    field.press("Enter")
    api.expect(picture(page)).to_have_attribute("alt", re.compile("State of every text"))
    choose(page, "figure", "Dose curve: texts")
    api.expect(picture(page)).to_have_attribute("alt", re.compile("Number of texts"))
    choose(page, "figure", "Text metrics")  # a second drawing of the others would come before it
    api.expect(picture(page)).to_have_attribute("alt", re.compile("every text metric"))
    assert drawn == ["states", "rescue_vs_harm", "text_metrics"]


def test_a_cell_is_clicked_and_its_texts_are_read(page, address):
    show_texts(page, address)
    cell(page, "a, L1N2 -5: rescued").click()
    reading = page.locator("#results-reading")
    api.expect(reading.get_by_role("heading", name="a: L1N2 set -5")).to_be_visible()
    for words in ("Say a", BROKEN, FINE):
        api.expect(reading).to_contain_text(words)
    assert cell(page, "a, L1N2 -5: rescued").get_attribute("aria-current") == "true"
    cell(page, "b, L1N2 -5: harmed").click()
    api.expect(reading.get_by_role("heading", name="b: L1N2 set -5")).to_be_visible()
    assert page.locator("[aria-current=true][data-key]").count() == 1


NOTE_HEADINGS = """() => {
  window.headings = [];
  new MutationObserver(() => {
    const heading = document.querySelector('#results-reading h3')?.textContent;
    if (heading && heading !== window.headings.at(-1)) window.headings.push(heading);
  }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


def test_of_quick_clicks_the_last_is_read(page, address, monkeypatch):
    clicked, read = threading.Event(), results_pages.reading
    monkeypatch.setattr(
        results_pages, "reading", lambda *args: clicked.wait(PATIENCE) and read(*args)
    )  # the first click is still being answered when the others come
    show_texts(page, address)
    page.evaluate(NOTE_HEADINGS)
    for name in (
        "a, L1N2 -5: rescued",
        "a, L1N2 +10: both collapsed",
        "b, L1N2 -5: harmed",
        "b, L1N2 +10: both fine",
    ):
        cell(page, name).click()
    clicked.set()
    heading = page.locator("#results-reading h3")
    api.expect(heading).to_have_text("b: L1N2 set +10")
    cell(page, "a, L1N2 -5: rescued").click()  # what comes late comes before the answer to this
    api.expect(heading).to_have_text("a: L1N2 set -5")
    assert page.evaluate("window.headings.slice(-2)") == ["b: L1N2 set +10", "a: L1N2 set -5"]


def test_arrow_keys_move_and_enter_reads(page, address):
    show_texts(page, address)
    cell(page, "a, L1N2 -5: rescued").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    api.expect(page.locator("#results-reading h3")).to_have_text("b: L1N2 set -5")
    stops = page.locator("#results-grid button[tabindex='0']")
    assert stops.count() == 1 and stops.get_attribute("aria-label") == "b, L1N2 -5: harmed"


def test_texts_of_a_file_stay_texts(page, address):
    show_texts(page, address)
    choose(page, "core", HOSTILE)
    api.expect(page.locator("#results-grid tbody tr")).to_have_count(1)
    cell(page, "b, L1N2 +10: both fine").click()
    reading = page.locator("#results-reading")
    api.expect(reading.locator("h3")).to_have_text("b: L1N2 set +10")
    assert reading.inner_text().count("${1+1} {{value}}") == 2  # the prompt and the clamped text
    assert reading.locator("img").count() == 0
    assert page.locator("img[src='x']").count() == 0


def test_a_filter_leaves_its_prompts_and_says_that_it_is_exploratory(page, address):
    show_texts(page, address)
    choose(page, "type", "declarative")
    status = page.locator("#results-status")
    api.expect(status).to_contain_text("1 of 2 prompts")
    api.expect(status).to_contain_text("exploratory")
    api.expect(page.locator("#results-grid tbody tr")).to_have_count(1)
    choose(page, "level", "2")  # no declarative prompt has it
    api.expect(page.get_by_role("alert")).to_contain_text("no clamped text fits these filters")
    api.expect(page.locator("#results-grid tbody tr")).to_have_count(0)


def test_a_filtered_figure_has_a_name_of_its_own(page, address):
    open_tab(page, address)
    api.expect(picture(page)).to_be_visible()
    choose(page, "type", "declarative")
    link = page.get_by_role("link", name="Download SVG")
    api.expect(link).to_have_attribute("download", re.compile("filtered-type-declarative.*rescue"))


def test_rows_are_prompts_with_their_names(page, address):
    show_texts(page, address)
    row = page.locator("#results-grid tbody th").first
    assert row.inner_text() == "Say a a"


def test_verdicts_are_shown_with_the_controls_of_each(page, address):
    open_tab(page, address)
    api.expect(picture(page)).to_be_visible()
    page.get_by_role("tab", name="Verdicts").click()
    said = page.locator("#results-verdicts")
    api.expect(said.get_by_role("heading", name="Controls of these verdicts")).to_be_visible()
    api.expect(said.locator(".cs-ledger")).to_contain_text("matched neurons")
    assert {"recovery", "harm", "special"} <= set(said.locator("tbody th").all_inner_texts())
    choose(page, "type", "declarative")
    api.expect(said.locator("caption")).to_contain_text("filtered: type declarative")


def test_the_detector_of_the_grid_is_chosen(page, address):
    show_texts(page, address)
    choose(page, "detector", "entropy")
    caption = page.locator("#results-grid caption")
    api.expect(caption).to_contain_text("by entropy")


def test_a_damaged_sweep_is_told_and_the_next_one_opens(page, address):
    open_tab(page, address)
    api.expect(picture(page)).to_be_visible()
    choose(page, "sweep", "zdamaged")
    alert = page.get_by_role("alert")
    api.expect(alert).to_contain_text("recovery.parquet: not a whole Parquet file; delete it")
    api.expect(picture(page)).to_have_count(0)
    choose(page, "sweep", "tiny")
    api.expect(picture(page)).to_be_visible()


def test_without_results_the_tab_says_how_to_make_some_and_finds_them(page, serve, tmp_path):
    open_tab(page, serve(tmp_path))
    api.expect(page.locator("#results-status")).to_contain_text("make reproduce")
    write(sweep(), tmp_path / "later")
    page.get_by_role("button", name="Refresh").click()
    api.expect(picture(page)).to_be_visible()
    assert page.locator("#results-sweep input").input_value().startswith("later, made 20")


def test_every_control_has_a_name(page, address):
    show_texts(page, address)
    fields = page.locator("input:visible, button:visible, img:visible")
    names = "node => node.ariaLabel || node.alt || node.innerText || node.labels?.[0]?.innerText"
    unnamed = [
        field.evaluate("node => node.outerHTML")[:200]
        for field in fields.all()
        if not field.evaluate(names)
    ]
    assert not unnamed
