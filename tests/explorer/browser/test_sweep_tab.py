"""The Sweep tab in a browser: all values of a neuron at once; slider and strip choose a text."""

from __future__ import annotations

import re

import numpy as np
import pytest

from clampsweep.texts import collapse
from clampsweep.texts.metrics import published
from clampsweep.texts.request import Decoding
from reference import moved
from tiny import D_MODEL

VALUES = [-30.5, -4.0, 0.0, 4.0, 12.25, 30.5]


@pytest.fixture
def sweeping(shared):
    """The Sweep tab, greedy, set, all positions; what was swept before is still shown."""
    tab = shared
    tab.open_sweep()
    tab.expect("#sweep-run").to_be_visible()
    tab.radio("sweep-method", "greedy")
    for name, usual in (("sweep-operation", "set"), ("sweep-scope", "all")):
        if tab.held(name) != usual:
            tab.choose(name, usual)
    return tab


@pytest.fixture
def asked(sweeping, site):
    """The tab with a prompt and a neuron that changes its text; not run."""
    prompt = site.long_prompt()
    layer, neuron, _, _ = site.strong_clamp(prompt)
    fill(sweeping, prompt, layer, neuron)
    return sweeping, prompt, layer, neuron


def fill(tab, prompt, layer, neuron, values=VALUES, tokens=12):
    tab.fill("sweep-prompt", prompt)
    tab.fill("sweep-layer", layer)
    tab.fill("sweep-neuron", neuron)
    tab.fill("sweep-values", ", ".join(map(str, values)))
    tab.fill("sweep-tokens", tokens)


def strip(tab):
    """Name, text and flags of each row of the strip."""
    rows = tab.find("#sweep-strip li").evaluate_all(
        "all => all.map(one => ['.cs-knob', '.cs-said', '.cs-flags']"
        ".map(part => one.querySelector(part).textContent))"
    )
    return {name: (text, flags) for name, text, flags in rows}


def shown(value):
    return f"{value:+g}" if value else "0"


def named(layer, neuron, value):
    """What stands above the text of a value: the neuron, and what is done to it."""
    return f"L{layer}N{neuron} set {shown(value)}"


def value_row(value):
    """The name of a value's button begins with it."""
    return re.compile(f"^value {re.escape(value)},")


def pressed(tab):
    """The value whose text is shown."""
    found = tab.find("#sweep-strip button[aria-pressed=true]")
    assert found.count() == 1
    return found.get_attribute("aria-label").removeprefix("value ").split(",")[0]


def check_strip(tab, site, texts):
    """The strip against the plain decoder's texts, the baseline's (None) and each value's."""
    rows = strip(tab)
    assert list(rows) == ["baseline", *(shown(value) for value in sorted(VALUES))]
    for value, text in texts.items():
        said, flags = rows["baseline" if value is None else shown(value)]
        same = value is not None and text.token_ids == texts[None].token_ids
        words = site.words(text)
        assert said == ("(as the baseline)" if same else words.strip() or "(empty text)")
        surface = collapse.DETECTORS["surface"](words, text.token_ids)
        assert ("surface" in flags) == surface


@pytest.mark.parametrize("operation", ["set", "add", "scale"])
def test_every_value_has_the_text_of_the_reference(asked, site, operation):
    tab, prompt, layer, neuron = asked
    if operation != "set":
        tab.choose("sweep-operation", operation)
    assert f"L{layer}N{neuron} {operation}, 6 values; greedy; 12 tokens; scope all" in tab.sweep()
    texts = {value: site.reference(prompt, [(layer, neuron, operation, value)]) for value in VALUES}
    check_strip(tab, site, {None: site.reference(prompt), **texts})


def test_sampled_sweeps_and_scopes_are_those_of_the_reference(asked, site):
    tab, prompt, layer, neuron = asked
    tab.radio("sweep-method", "sampling")
    tab.fill("sweep-temperature", 1.5)
    tab.fill("sweep-top-k", 20)
    tab.fill("sweep-top-p", "")
    tab.fill("sweep-seed", 11)
    tab.choose("sweep-scope", "generated")
    tab.sweep()
    decoding = Decoding("sample", 12, temperature=1.5, top_k=20)
    texts = {
        value: site.sampled(prompt, decoding, 11, [(layer, neuron, "set", value)], "generated")
        for value in VALUES
    }
    check_strip(tab, site, {None: site.sampled(prompt, decoding, 11), **texts})


def check_pair(tab, site, prompt, layer, neuron, value):
    texts = {None: site.reference(prompt), value: site.reference(prompt, [(layer, neuron, "set",
             value)])}  # fmt: skip
    title = named(layer, neuron, value)
    tab.find(f"#sweep-pair section[aria-label='{title}']").wait_for()
    assert tab.text("Baseline", "#sweep-pair") == site.words(texts[None])
    assert tab.text(title, "#sweep-pair") == site.words(texts[value])
    assert pressed(tab) == shown(value)
    assert tab.find("#sweep-slider input[type=range]").input_value() == str(VALUES.index(value))
    table = tab.table("#sweep-measures")
    for column, text in enumerate(texts.values()):
        wanted = published(site.words(text))
        for name, number in wanted.items():
            cell = table[name][column]
            if number is None:
                assert cell == "none"
            else:
                assert float(cell) == pytest.approx(number, rel=1e-3)


def test_slider_and_strip_choose_the_text_beside_the_baseline(asked, site):
    tab, prompt, layer, neuron = asked
    tab.sweep()
    tab.page.get_by_role("button", name=value_row("+30.5")).click()
    check_pair(tab, site, prompt, layer, neuron, 30.5)
    slider = tab.find("#sweep-slider input[type=range]")
    slider.focus()
    slider.press("ArrowLeft")
    check_pair(tab, site, prompt, layer, neuron, 12.25)
    slider.press("Home")
    check_pair(tab, site, prompt, layer, neuron, -30.5)
    tab.page.get_by_role("button", name=value_row("0")).press("Enter")
    check_pair(tab, site, prompt, layer, neuron, 0.0)


def test_the_sweep_takes_what_try_holds_and_holds_its_other_clamps(tab, site):
    prompt = site.long_prompt()
    layer, neuron, _, value = site.strong_clamp(prompt)
    other = (0, 5, "add", 2.5) if (layer, neuron) != (0, 5) else (0, 6, "add", 2.5)
    tab.ask(prompt, (layer, neuron, "set", 1.0), other, tokens=12)
    tab.choose("try-scope", "generated")
    tab.open_sweep()
    tab.expect("#sweep-taken").to_contain_text("From Try: prompt, what is changed and decoding.")
    tab.fill("sweep-values", value)
    said = f"L{layer}N{neuron} set, beside L{other[0]}N{other[1]} add +2.5"
    assert f"{said}, 1 values; greedy; 12 tokens; scope generated" in tab.sweep()
    both = site.reference(prompt, [(layer, neuron, "set", value), other], "generated")
    rows = strip(tab)
    words = site.words(both).strip()
    assert rows[shown(value)][0] == (words if both.token_ids != site.reference(prompt).token_ids
                                     else "(as the baseline)")  # fmt: skip
    tab.find("#sweep-held input").uncheck()
    tab.sweep()
    alone = site.reference(prompt, [(layer, neuron, "set", value)], "generated")
    if alone.token_ids != site.reference(prompt).token_ids:
        assert strip(tab)[shown(value)][0] == site.words(alone).strip()


def test_what_was_set_in_the_sweep_stays_until_all_is_taken(tab, site):
    tab.ask("of Try", (0, 3, "set", 1.0), tokens=7)
    tab.radio("try-method", "sampling")
    tab.fill("try-seed", 5)
    tab.open_sweep()
    tab.expect("#sweep-prompt textarea").to_have_value("of Try")
    tab.expect("#sweep-seed input").to_have_value("5")
    tab.fill("sweep-prompt", "of the sweep")
    tab.page.get_by_role("tab", name="Try").click()
    tab.fill("try-prompt", "of Try again")
    tab.fill("try-tokens", 8)
    tab.open_sweep()
    tab.expect("#sweep-tokens input").to_have_value("8")
    tab.expect("#sweep-taken").to_contain_text("As set here, other than in Try: prompt.")
    assert tab.held("sweep-prompt") == "of the sweep"
    tab.click("#sweep-take")
    tab.expect("#sweep-prompt textarea").to_have_value("of Try again")
    tab.expect("#sweep-take").to_be_hidden()


def test_the_first_shown_is_the_value_nearest_to_0_that_differs(asked, site):
    tab, prompt, layer, neuron = asked
    tab.sweep()
    plain = site.reference(prompt).token_ids
    differ = [
        value
        for value in VALUES
        if site.reference(prompt, [(layer, neuron, "set", value)]).token_ids != plain
    ]
    assert abs(float(pressed(tab))) == min(map(abs, differ))


def test_values_are_sorted_and_each_stands_once(asked, site):
    tab, _prompt, _layer, _neuron = asked
    tab.fill("sweep-values", " 3.5 ; -2,3.5,, 1e1")
    tab.fill("sweep-tokens", 4)
    tab.sweep()
    assert list(strip(tab)) == ["baseline", "-2", "+3.5", "+10"]


def test_a_single_value_needs_no_slider(asked, site):
    tab, prompt, layer, neuron = asked
    tab.fill("sweep-values", "30.5")
    tab.sweep()
    assert list(strip(tab)) == ["baseline", "+30.5"]
    tab.expect("#sweep-slider input[type=range]").to_be_hidden()
    said = site.reference(prompt, [(layer, neuron, "set", 30.5)])
    assert tab.text(named(layer, neuron, 30.5), "#sweep-pair") == site.words(said)


@pytest.mark.parametrize("key", ["Enter", "click"])
def test_a_second_sweep_replaces_the_first(asked, site, key):
    tab, prompt, layer, neuron = asked
    tab.sweep()
    tab.page.get_by_role("button", name=value_row("+30.5")).click()
    tab.find(f"#sweep-pair section[aria-label='{named(layer, neuron, 30.5)}']").wait_for()
    tab.fill("sweep-values", "-7.5, 7.5")
    if key == "Enter":
        tab.find("#sweep-values input, #sweep-values textarea").first.press("Enter")
    else:
        tab.click("#sweep-run")
    tab.expect("#sweep-said").to_contain_text("2 values; greedy")
    tab.expect("#sweep-strip li").to_have_count(3)
    wanted = site.reference(prompt, [(layer, neuron, "set", 7.5)])
    tab.page.get_by_role("button", name=value_row("+7.5")).click()
    tab.find(f"#sweep-pair section[aria-label='{named(layer, neuron, 7.5)}']").wait_for()
    assert tab.text(named(layer, neuron, 7.5), "#sweep-pair") == site.words(wanted)


@pytest.mark.parametrize(("how", "scope"), [("button", "all"), ("Escape", "last")])
def test_a_sweep_is_stopped_and_the_next_one_works(asked, site, until, how, scope):
    tab, prompt, layer, neuron = asked
    tab.fill("sweep-tokens", 50)
    before, shown = site.n_hooks(), tab.find("#sweep-strip").inner_text()
    if scope != "all":
        tab.choose("sweep-scope", scope)
    with site.held():
        tab.click("#sweep-run")
        tab.expect("#sweep-said").to_contain_text(re.compile(r"Running: .* [1-9]\d*%"))
        stop = {"button": lambda: tab.click("#sweep-stop"),
                "Escape": lambda: tab.find("#sweep-prompt textarea").press("Escape")}  # fmt: skip
        stop[how]()
        tab.expect("#sweep-said").to_contain_text("Stopped.")
    until(lambda: site.n_hooks() == before, "hooks are left on the model")
    assert tab.find("#sweep-strip").inner_text() == shown
    if scope != "all":
        tab.choose("sweep-scope", "all")
    tab.fill("sweep-tokens", 12)
    tab.sweep()
    texts = {value: site.reference(prompt, [(layer, neuron, "set", value)]) for value in VALUES}
    check_strip(tab, site, {None: site.reference(prompt), **texts})


REFUSALS = {
    "no number": ("sweep-values", "1, two", "values: got 'two'; write numbers"),
    "no finite number": ("sweep-values", "1, inf", "values: got 'inf'; write numbers"),
    "not a number": ("sweep-values", "nan", "values: got 'nan'; write numbers"),
    "no value": ("sweep-values", " , ", "values: there are none; write numbers"),
    "layer": ("sweep-layer", "{n_layers}", "got layer {n_layers}; {name} has layers 0-"),
    "no layer": ("sweep-layer", "", "the layer is missing; {name} has layers 0-"),
    "neuron": ("sweep-neuron", "{d_mlp}", "got neuron {d_mlp}; {name} has neurons 0-"),
    "negative neuron": ("sweep-neuron", "-1", "got neuron -1; {name} has neurons 0-"),
    "no prompt": ("sweep-prompt", "", "the prompt is empty"),
    "a long prompt": ("sweep-prompt", "{long}", "the model reads at most"),
    "no tokens": ("sweep-tokens", "", "max_new_tokens"),
}


@pytest.fixture(scope="module")
def swept(kept, site):
    """One tab for all refusals; it has a sweep to lose."""
    tab = kept
    tab.open_sweep()
    fill(tab, site.prompts[0], 1, 3, tokens=4)
    tab.sweep()
    return tab


@pytest.mark.parametrize("case", list(REFUSALS))
def test_a_fault_is_named_and_nothing_is_lost(swept, site, case):
    tab, spec = swept, site.spec
    field, value, words = REFUSALS[case]
    known = {"n_layers": spec.n_layers, "d_mlp": spec.d_mlp, "name": spec.name,
             "long": "a b " * site.model.n_ctx}  # fmt: skip
    good, before = tab.held(field), strip(tab)
    tab.fill(field, value.format(**known))
    tab.click("#sweep-run")
    tab.find("#sweep-said [role=alert]").wait_for()
    assert words.format(**known) in tab.said("sweep")
    assert strip(tab) == before
    tab.fill(field, good)
    tab.sweep()
    assert strip(tab) == before


def test_every_multiple_of_a_direction_has_the_text_of_the_reference(sweeping, site):
    if site.real:
        pytest.skip("the repository's config names no directions")
    tab, prompt = sweeping, site.long_prompt()
    tab.radio("sweep-what", "a direction (steering)")
    tab.expect("#sweep-neuron").to_be_hidden()
    tab.expect("#sweep-values textarea, #sweep-values input").to_have_value(
        "-5, 0, 5"
    )  # configured
    fill_names = {"prompt": prompt, "values": "-2, 0, 2.5", "tokens": 12, "steer-layer": 1}
    for name, value in fill_names.items():
        tab.fill(f"sweep-{name}", value)
    assert "L1@joy steer, 3 values;" in tab.sweep()
    along = np.random.default_rng(1).normal(size=D_MODEL)  # as the project's file has it
    rows = strip(tab)
    for shown_value, multiple in (("-2", -2.0), ("+2.5", 2.5)):
        with moved(site.model, 1, multiple * along):
            assert rows[shown_value][0] == site.words(site.reference(prompt)).strip()
    assert rows["0"][0] == "(as the baseline)"
    tab.page.get_by_role("button", name=value_row("-2")).click()
    assert tab.text("L1@joy steer -2", "#sweep-pair").strip() == rows["-2"][0]
    tab.radio("sweep-what", "a neuron")
    tab.expect("#sweep-neuron").to_be_visible()
