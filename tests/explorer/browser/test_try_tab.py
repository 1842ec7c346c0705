"""The Try tab in a browser: prompt and clamps in, two texts out, against independent oracles."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from clampsweep.models.directions import random_direction
from clampsweep.names import Neuron
from clampsweep.texts import collapse
from clampsweep.texts.metrics import further, published
from reference import _PROJECTION, Clamp, decode_alone, moved
from tiny import D_MODEL


def direction(number, width=D_MODEL):
    """The direction of this number that the project's file holds, or one as wide [width]."""
    return np.random.default_rng(number).normal(size=width)


def forced(hugging_face, tokens, clamps):
    """One pass of Hugging Face's own model over a whole text: probabilities [pos, d_vocab], and
    each clamped neuron's value before its clamp [pos]."""
    natural, handles = {}, []
    projection = _PROJECTION[hugging_face.config.model_type]
    for layer, neuron, operation, *value in clamps:

        def hook(module, args, place=(layer, neuron), operation=operation, value=value):
            own = args[0].clone()
            before = own[..., place[1]].clone()
            natural[place] = before.flatten().tolist()
            own[..., place[1]] = {
                "none": lambda: before,
                "set": lambda: torch.full_like(before, value[0]),
                "add": lambda: before + value[0],
                "scale": lambda: before * value[0],
                "zero": lambda: torch.zeros_like(before),
            }[operation]()
            return (own,)

        handles.append(projection(hugging_face, layer).register_forward_pre_hook(hook))
    with torch.inference_mode():
        logits = hugging_face(torch.tensor([list(tokens)])).logits[0]
    for handle in handles:
        handle.remove()
    return logits.double().softmax(-1), natural


def flags(parts):
    """Whether each run of a text (a word, or the space between two) is highlighted, all of it."""
    text = "".join(part[0] for part in parts)
    marked = [part[1] for part in parts for _ in part[0]]
    found = []
    for run in re.finditer(r"\s+|\S+", text):
        own = set(marked[run.start() : run.end()])
        assert len(own) == 1, f"{run.group()!r} is highlighted in part"
        found.append((run.group(), own.pop()))
    return found


def gaps(found):
    """Highlighted runs before, between and after those that are not."""
    parts = [[]]
    for word, marked in found:
        if marked:
            parts[-1].append(word)
        else:
            parts.append([])
    return parts


@pytest.fixture
def asked(shared, site):
    """A tab with a prompt whose text is long, and a clamp that changes it; not run."""
    prompt = site.long_prompt()
    clamp = site.strong_clamp(prompt)
    shared.ask(prompt, clamp)
    return shared, prompt, clamp


# Texts


def test_enter_in_the_prompt_runs_and_shows_the_reference_texts(asked, site):
    tab, prompt, clamp = asked
    tab.run(press=lambda: tab.find("#try-prompt textarea").press("Enter"))
    assert tab.held("try-prompt") == prompt
    assert tab.text("Baseline") == site.words(site.reference(prompt))
    assert tab.text("Clamped") == site.words(site.reference(prompt, [clamp]))
    tab.expect("#try-texts").to_contain_text("Clamped: 12 tokens, cut at the most new tokens")


def test_shift_and_enter_make_a_new_line_and_run_nothing(tab):
    box = tab.find("#try-prompt textarea")
    box.fill("one")
    box.press("Shift+Enter")
    box.type("two")
    assert box.input_value() == "one\ntwo"
    assert tab.said() == "Ready."


@pytest.mark.parametrize("key", ["Enter", "click"])
def test_what_was_typed_last_counts(asked, site, key):
    tab, prompt, (layer, neuron, operation, value) = asked
    tab.fill("clamp-1-value", -value - 1)
    box = tab.find("#clamp-1-value input")
    line = tab.run(press=(lambda: box.press("Enter")) if key == "Enter" else None)
    clamp = (layer, neuron, operation, -value - 1)
    assert f"L{layer}N{neuron} set {-value - 1:+g}" in line
    assert tab.text("Clamped") == site.words(site.reference(prompt, [clamp]))


def test_a_whole_number_is_a_value_too(asked, site):
    tab, _prompt, (layer, neuron, operation, _) = asked
    tab.clamp(1, layer, neuron, operation, 25)
    tab.fill("try-tokens", 4)
    tab.click("#try-run")
    tab.expect("#try-said").to_contain_text(re.compile("set \\+25;|bug"))
    assert "bug" not in tab.said()


def test_several_clamps_of_every_operation_act_together_and_one_that_is_off_does_not(asked, site):
    tab, prompt, _ = asked
    top = site.spec.n_layers - 1
    on = [(0, 3, "set", 4.5), (0, 7, "add", -2.5), (1, 3, "scale", -1.5), (top, 11, "zero")]
    tab.clamps(*on, (1, 8, "set", 50.5))
    tab.tick("clamp-5-on", on=False)
    line = tab.run()
    assert f"L0N3 set +4.5, L0N7 add -2.5, L1N3 scale -1.5, L{top}N11 zero;" in line
    assert tab.text("Baseline") == site.words(site.reference(prompt))
    wanted = site.words(site.reference(prompt, on))
    assert tab.text("Clamped") == wanted
    assert wanted != site.words(site.reference(prompt, [*on, (1, 8, "set", 50.5)]))


@pytest.mark.parametrize("scope", ["prompt", "generated", "last", "last_cached", "0,2"])
def test_a_scope_says_which_positions_are_changed(asked, site, scope):
    tab, prompt, clamp = asked
    tab.choose("try-scope", "positions" if scope[0] == "0" else scope)
    if scope[0] == "0":
        tab.fill("try-positions", "0, 2")
    assert f"scope {scope}." in tab.run()
    assert tab.text("Clamped") == site.words(site.reference(prompt, [clamp], scope))


def test_without_clamps_there_is_one_text(shared, site):
    tab = shared
    prompt = site.long_prompt()
    tab.ask(prompt)
    assert "no clamp" in tab.run()
    assert tab.text("Baseline") == site.words(site.reference(prompt))
    assert tab.find("#try-texts section").count() == 1
    assert tab.find("#try-texts mark").count() == 0


def test_a_text_that_the_model_ends_says_so(shared, site):
    tab = shared
    texts = {prompt: site.reference(prompt, n=12) for prompt in site.prompts}
    ended = [prompt for prompt, text in texts.items() if text.stop_reason == "eos"]
    if not ended:
        pytest.skip("the model ends none of these texts within 12 tokens")
    text = texts[ended[0]]
    tab.ask(ended[0])
    tab.run()
    assert tab.text("Baseline") == site.words(text)
    n = len(text.token_ids)
    tab.expect("#try-texts").to_contain_text(f"Baseline: {n} tokens, the model ended the text")


def test_the_texts_grow_before_the_run_is_done(asked, site):
    tab, _prompt, _clamp = asked
    with site.held(after=6):
        tab.click("#try-run")
        early = tab.page.wait_for_function(
            """() => {
              const text = document.querySelector('#try-texts section[aria-label=Clamped] p');
              const said = document.querySelector('#try-said').textContent;
              return said.includes('Running') && text && text.textContent;
            }"""
        ).json_value()
    tab.expect("#try-said").to_contain_text("Done: run")
    final = tab.find("#try-texts section[aria-label=Clamped] p").text_content()
    mark = "▸first difference: "
    assert len(early) < len(final)
    assert final.replace(mark, "").startswith(early.replace(mark, ""))


def listed(table, at):
    """A short prompt as it stands in the list."""
    row = table.iloc[at]
    return f"{row['text']} ({row['prompt_id']})"


def test_a_picked_prompt_is_put_into_the_box(shared, site):
    tab = shared
    name = site.desk.promptsets[0]
    table = site.desk.prompts(name)
    tab.choose("try-pick", listed(table, 1))
    tab.expect("#try-prompt textarea").to_have_value(table["text"].iloc[1])
    other = site.desk.promptsets[-1]
    tab.choose("try-promptset", other)
    table = site.desk.prompts(other)
    tab.choose("try-pick", listed(table, -1))
    tab.expect("#try-prompt textarea").to_have_value(table["text"].iloc[-1])


def press(tab, *keys):
    """Press keys, one after the other."""
    for key in keys:
        tab.page.keyboard.press(key)


LEAVING = {
    "Escape": lambda tab: tab.page.keyboard.press("Escape"),
    "Escape, then Tab": lambda tab: press(tab, "Escape", "Tab"),
    "looking through it": lambda tab: press(tab, "ArrowDown", "ArrowDown", "Escape", "Tab"),
    "a click elsewhere": lambda tab: tab.find("h1").click(),
    "letters that fit nothing": lambda tab: [
        tab.page.keyboard.type("zzz"), tab.page.keyboard.press("Tab"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("how", list(LEAVING))
@pytest.mark.parametrize("name", ["try-pick", "try-promptset"])
def test_opening_and_leaving_a_list_keeps_what_was_typed(tab, site, name, how):
    tab.fill("try-prompt", "typed by hand")  # in a page of its own: see below
    tab.find(f"#{name} input").click()
    tab.find(f"#{name}").get_by_role("option").first.wait_for()
    LEAVING[how](tab)  # Gradio's list stays open where Tab follows Escape
    tab.ask("typed by hand", tokens=2)  # a late answer to the leaving would come before the run's
    tab.run()
    assert tab.held("try-prompt") == "typed by hand"
    tab.expect("#try-history tbody tr >> nth=0").to_contain_text("typed by hand")


def test_what_a_choice_replaced_is_put_back(tab, site):
    table = site.desk.prompts(site.desk.promptsets[0])
    tab.fill("try-prompt", "typed by hand")
    for at in (0, 1):
        tab.choose("try-pick", listed(table, at))
        tab.expect("#try-prompt textarea").to_have_value(table["text"].iloc[at])
    tab.choose("try-pick", listed(table, 1))  # the same again, after it was chosen
    tab.expect("#try-undo").to_have_text("Put back: typed by hand")
    tab.click("#try-undo")
    tab.expect("#try-prompt textarea").to_have_value("typed by hand")
    tab.click("#try-undo")
    tab.expect("#try-prompt textarea").to_have_value(table["text"].iloc[1])


def test_leaving_the_list_of_tables_keeps_the_clamps_chosen_for_import(tab):
    tab.find("#import").get_by_role("button").first.click()
    tab.choose("import-table", "earlier: targets and their clamps")
    tab.expect("#import-said").to_contain_text("to choose from")
    tab.find("#import-clamps input").click()
    tab.find("#import-clamps").get_by_role("option").first.click()
    tab.page.keyboard.press("Escape")
    tab.find("#import-table input").click()
    tab.find("#import-table").get_by_role("option").first.wait_for()
    tab.page.keyboard.press("Escape")
    tab.find("h1").click()
    before = tab.n_rows
    tab.click("#import-add")
    tab.expect("#import-said").to_contain_text("2 added.")
    tab.wait_rows(before + 2)


def test_the_texts_say_which_neuron_is_clamped(asked):
    tab, _prompt, (layer, neuron, operation, value) = asked
    tab.run()
    note = tab.find("#try-texts section[aria-label=Clamped] .cs-note")
    assert note.inner_text() == f"L{layer}N{neuron} {operation} {value:+g}"


def test_another_configured_model_makes_its_own_texts(tab, site):
    if len(site.desk.models) < 2:
        pytest.skip("the repository's config has one model")
    other = site.desk.models[1]
    tab.choose("model", other)
    prompt = site.prompts[2]
    tab.ask(prompt, (1, 3, "set", 20.5))
    tab.run()
    model = site.desk.shelf.get(other)
    for title, clamps in (("Baseline", []), ("Clamped", [(1, 3, "set", 20.5)])):
        text = site.reference(prompt, clamps, model=model)
        assert tab.text(title) == model.decode(text.token_ids)
    status = tab.find("#status").inner_text()
    assert status.startswith(f"{other}: 3 layers x 40 neurons, context 64 tokens, float64 on cpu")
    before = site.n_hooks([model])
    tab.run()
    assert site.n_hooks([model]) == before


# What is marked


def test_the_first_difference_stands_before_the_first_token_that_differs(asked, site):
    tab, prompt, clamp = asked
    tab.run()
    texts = [site.reference(prompt).token_ids, site.reference(prompt, [clamp]).token_ids]
    same = 0
    while texts[0][same] == texts[1][same]:
        same += 1
    assert same
    for title, ids in zip(("Baseline", "Clamped"), texts, strict=True):
        assert tab.before_first(title) == site.model.decode(ids[:same])


def test_equal_texts_have_no_mark(shared, site):
    tab = shared
    prompt = site.long_prompt()
    tab.ask(prompt, (0, 3, "scale", 1.0000001))
    tab.run()
    assert tab.text("Baseline") == tab.text("Clamped")
    assert tab.before_first("Baseline") is tab.before_first("Clamped") is None
    assert tab.find("#try-texts mark").count() == 0
    tab.expect("#try-texts").to_contain_text("The texts are equal.")


def test_just_the_words_that_differ_are_highlighted(asked, site):
    tab, _prompt, (_layer, _neuron, _, value) = asked
    tab.fill("try-tokens", 40)
    n_marked = 0
    for share in (0.5, 1.01, -1.01):
        tab.fill("clamp-1-value", value * share)
        tab.run()
        left, right = flags(tab.parts("Baseline")), flags(tab.parts("Clamped"))
        plain = [[word for word, marked in side if not marked] for side in (left, right)]
        assert plain[0] == plain[1]
        for one, other in zip(gaps(left), gaps(right), strict=True):
            assert not (one and other) or (one[0] != other[0] and one[-1] != other[-1])
        n_marked += sum(marked for _, marked in left + right)
    assert n_marked


# What is measured


def test_probabilities_and_natural_activations_are_those_of_a_plain_forward_pass(asked, site):
    tab, prompt, first = asked
    top = site.spec.n_layers - 1
    clamps = sorted([first, (0, 5, "add", 3.5), (top, 9, "scale", 0.5)])
    tab.clamps(*clamps)
    tab.run()
    ids = site.model.encode(prompt)
    strips = tab.find("#try-details .cs-strip").evaluate_all(
        "all => Object.fromEntries(all.map(one => [one.getAttribute('aria-label'),"
        "[...one.children].map(cell => cell.title)]))"
    )
    tolerance = {"rel": 6e-3 if not site.real else 2e-2, "abs": 1e-4 if not site.real else 2e-2}
    for title, where, own in (
        ("Baseline", "in the baseline", [(*clamp[:2], "none") for clamp in clamps]),
        ("Clamped", "in the clamped run", clamps),
    ):
        said = site.reference(prompt, [] if title == "Baseline" else clamps).token_ids
        chances, natural = forced(site.hugging_face, [*ids, *said], own)
        hints = [hint for _, _, hint in dict.fromkeys(tab.parts(title))]
        wanted = [float(chances[len(ids) + at - 1, token]) for at, token in enumerate(said)]
        shown = shown_probabilities(tab, title)
        if len(shown) == len(said):  # every token is a piece of its own
            assert shown == pytest.approx(wanted, **tolerance)
        assert hints
        for layer, neuron, operation, value_of in clamps:
            cells = strips[f"L{layer}N{neuron} {where}: natural activation by token"]
            shown = [cell.rpartition(": ")[2].split() for cell in cells]
            values = [float(value) for value, *_ in shown]
            assert values == pytest.approx(natural[layer, neuron], **tolerance)
            after = [float(new) for _, *change in shown for new in change[1:]]
            if title == "Baseline":
                assert not after
            else:
                gain, shift = {"set": (0, value_of), "add": (1, value_of),
                               "scale": (value_of, 0)}[operation]  # fmt: skip
                wanted = [gain * value + shift for value in natural[layer, neuron]]
                assert after == pytest.approx(wanted, **tolerance)


def shown_probabilities(tab, title):
    """Probabilities in the hints of a text's tokens, token by token; a hint stands once where a
    token is cut in two by a highlight, and twice where two equal tokens follow each other."""
    column = tab.find(f"#try-texts section[aria-label='{title}'] .cs-text")
    hints = column.evaluate("node => [...node.querySelectorAll('[title]')].map(one => one.title)")
    hints = [hint for hint in hints if hint.startswith("probability")]
    found = [one for one, before in zip(hints, [None, *hints], strict=False) if one != before]
    return [float(p) for hint in found for p in re.findall(r"^probability (\S+)", hint, re.M)]


def test_the_rivals_in_a_hint_are_the_most_probable_tokens(asked, site):
    tab, prompt, clamp = asked
    tab.run()
    ids, said = site.model.encode(prompt), site.reference(prompt, [clamp]).token_ids
    chances, natural = forced(site.hugging_face, [*ids, *said], [clamp])
    hint = tab.parts("Clamped")[0][2]
    best = chances[len(ids) - 1].topk(5)
    others = [
        f"{site.model.decode([token])!r} {value:.2g}"
        for token, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        if token != said[0]
    ]
    assert f"others: {', '.join(others[:4])}" in hint
    layer, neuron, _, value = clamp
    assert f"L{layer}N{neuron} by itself: {natural[layer, neuron][len(ids)]:.3g}" in hint
    assert f", changed to {value:.3g}" in hint


def test_metrics_and_flags_are_those_of_the_texts(asked, site):
    tab, prompt, clamp = asked
    tab.run()
    ids = site.model.encode(prompt)
    table = tab.table("#try-details")
    for column, clamps in enumerate(([], [clamp])):
        text = site.reference(prompt, clamps)
        words = site.words(text)
        chances, _ = forced(site.hugging_face, [*ids, *text.token_ids], [])
        own = chances[torch.arange(len(ids) - 1, len(ids) + len(text.token_ids) - 1)]
        nll = -float(own[range(len(text.token_ids)), text.token_ids].log().mean())
        wanted = {**published(words), **further(words, text.token_ids)}
        for name, value in wanted.items():
            if value is None:
                assert table[name][column] == "none"
            else:
                assert float(table[name][column]) == pytest.approx(value, rel=1e-3)
        assert float(table["nll_unclamped"][column]) == pytest.approx(nll, rel=1e-3)
        for name, test in collapse.DETECTORS.items():
            said = "collapsed" if test(words, text.token_ids, nll) else "fine"
            assert table[f"collapsed ({name})"][column] == said


# Rows


def test_rows_are_added_duplicated_removed_and_cleared_and_keep_what_was_typed(tab):
    tab.clamps((1, 3, "add", -2.5))
    tab.click("#clamps-add")
    tab.wait_rows(2)
    assert tab.row(1) == (True, "1", "3", "add", "-2.5")
    assert tab.row(2)[:2] == (True, "1") and tab.row(2)[3] == "add"
    tab.clamp(2, 0, 7, "zero", on=False)
    tab.click("#clamp-1-duplicate")
    tab.wait_rows(3)
    assert tab.rows()[:2] == [(True, "1", "3", "add", "-2.5")] * 2
    assert tab.row(3)[:4] == (False, "0", "7", "zero")
    tab.clamp(2, 2, 9, "scale", 0.25)
    tab.click("#clamp-1-remove")
    tab.wait_rows(2)
    assert tab.row(1) == (True, "2", "9", "scale", "0.25")
    assert tab.row(2)[:4] == (False, "0", "7", "zero")
    tab.click("#clamps-clear")
    tab.wait_rows(0)


def test_all_layers_makes_a_row_of_each_layer(asked, site):
    tab, prompt, _ = asked
    tab.clamps((1, 3, "set", 2.5), (0, 4, "add", 1.5))
    tab.click("#clamp-1-all-layers")
    n = site.spec.n_layers
    tab.wait_rows(n + 1)
    every = [(layer, 3, "set", 2.5) for layer in range(n)]
    shown = [(True, str(layer), "3", "set", "2.5") for layer in range(n)]
    assert tab.rows() == [*shown, (True, "0", "4", "add", "1.5")]
    tab.run()
    wanted = site.reference(prompt, [*every, (0, 4, "add", 1.5)])
    assert tab.text("Clamped") == site.words(wanted)


def test_prompt_and_settings_survive_a_change_of_the_rows(shared):
    tab = shared
    tab.fill("try-prompt", "kept")
    tab.fill("try-tokens", 7)
    tab.choose("try-scope", "generated")
    tab.clamps((0, 1), (0, 2))
    assert (tab.held("try-prompt"), tab.held("try-tokens")) == ("kept", "7")
    assert tab.held("try-scope") == "generated"


def open_table(tab):
    tab.find("#import").get_by_role("button").first.click()
    tab.choose("import-table", "earlier: targets and their clamps")
    tab.expect("#import-said").to_contain_text("3 to choose from.")


def test_clamps_are_imported_from_a_results_table(asked, site):
    tab, prompt, _ = asked
    tab.click("#clamps-clear")
    tab.wait_rows(0)
    open_table(tab)
    tab.choose("import-clamps", "L0N1+L2N4 add +2.5")
    tab.page.keyboard.press("Escape")
    tab.click("#import-add")
    tab.wait_rows(2)
    assert [row[1:] for row in tab.rows()] == [("0", "1", "add", "2.5"), ("2", "4", "add", "2.5")]
    tab.run()
    clamps = [(0, 1, "add", 2.5), (2, 4, "add", 2.5)]
    assert tab.text("Clamped") == site.words(site.reference(prompt, clamps))


def test_an_import_keeps_what_was_typed(tab):
    tab.clamps((1, 3, "add", -2.5))
    open_table(tab)
    tab.choose("import-clamps", "L1N2 set -5.25")
    tab.page.keyboard.press("Escape")
    tab.click("#import-add")
    tab.wait_rows(2)
    assert tab.row(2) == (True, "1", "2", "set", "-5.25")
    assert tab.row(1) == (True, "1", "3", "add", "-2.5")


# Steering


def steer(tab, **fields):
    """Switch steering on and fill its fields."""
    tab.tick("try-steer-on", on=True)
    for name, value in fields.items():
        (tab.choose if name in ("file", "name", "random") else tab.fill)(f"try-steer-{name}", value)


def test_a_run_is_steered_along_a_configured_direction_beside_its_clamps(asked, site):
    if site.real:
        pytest.skip("the repository's config names no directions")
    tab, prompt, clamp = asked
    tab.clamps(clamp)
    if tab.held("try-steer-file") != "d.safetensors":
        steer(tab, file="d.safetensors")
    steer(tab, name="calm", layer=1, random="itself", multiple=2.5)
    layer, neuron, operation, value = clamp
    words = f"L{layer}N{neuron} {operation} {value:+g}, L1@calm steer +2.5; greedy"
    assert words in tab.run()
    plain = site.words(site.reference(prompt))
    with moved(site.model, 1, 2.5 * direction(0)):
        both = site.words(site.reference(prompt, [clamp]))
        along = site.words(site.reference(prompt))
    assert (tab.text("Baseline"), tab.text("Clamped and steered")) == (plain, both)
    tab.tick("clamp-1-on", on=False)
    tab.run()
    assert (tab.text("Baseline"), tab.text("Steered")) == (plain, along)
    tab.expect("#try-details").to_contain_text("a direction has no activation of its own to show")
    steer(tab, random="random 3", multiple=-4)
    tab.run()
    step = -4 * np.linalg.norm(direction(0)) * random_direction(1, 3, D_MODEL)
    with moved(site.model, 1, step):
        assert tab.text("Steered") == site.words(site.reference(prompt))
    tab.tick("try-steer-on", on=False)
    assert "no clamp" in tab.run()
    newest = tab.number()
    tab.page.get_by_role("button", name=f"Use the settings of run {newest - 1}").click()
    tab.expect("#try-steer-random input").to_have_value("random 3")
    for name, value in (("name", "calm"), ("layer", "1"), ("multiple", "-4")):
        tab.expect(f"#try-steer-{name} input").to_have_value(value)
    tab.expect("#try-steer-on input").to_be_checked()


def test_an_uploaded_file_of_directions_is_used_and_a_wrong_one_is_said(shared, site, tmp_path):
    tab = shared
    width, prompt = site.model.d_model, site.long_prompt()
    hostile = "<img src=x onerror='window.hacked=1'>"
    files = {name: tmp_path / f"{name}.safetensors" for name in ("mine", "narrow", "bad")}
    by_layer = np.stack([direction(2, width)] * 2)
    save_file({"own": by_layer, hostile: direction(3, width)}, files["mine"])
    save_file({"few": direction(4, 5)}, files["narrow"])
    files["bad"].write_bytes(b"nothing")
    tab.ask(prompt)
    if not tab.find("#try-steer-on").count():
        tab.find("#try-steer").get_by_role("button").first.click()
    tab.upload("try-steer-upload", files["mine"])
    tab.expect("#try-steer-said").to_contain_text(f"{hostile} is for any layer.")
    tab.fill("try-steer-layer", 7)
    tab.choose("try-steer-name", "own")
    tab.expect("#try-steer-said").to_contain_text("own is for layers 0-1.")
    tab.expect("#try-steer-layer input").to_have_value("1")
    steer(tab, random="itself", multiple=3)
    tab.run()
    with moved(site.model, 1, 3 * direction(2, width)):
        assert tab.text("Steered") == site.words(site.reference(prompt))
    tab.upload("try-steer-upload", files["narrow"])
    tab.expect("#try-steer-said").to_contain_text("few is for any layer.")
    said = f"direction L1@few has 5 coordinates, but the model's residual stream has {width}; use"
    assert "\n" not in tab.refused(said).strip()
    tab.upload("try-steer-upload", files["bad"])
    tab.expect("#try-steer-said [role=alert]").to_contain_text("bad.safetensors: neither a")
    assert str(tmp_path) not in tab.refused("bad.safetensors: neither a safetensors file")


# Chats and stop strings


def test_a_prompt_is_read_as_a_chat_up_to_a_stop_string(asked, site):
    if site.model.tokenizer.chat_template is None:
        pytest.skip("the model's tokenizer has no chat template")
    tab, prompt, clamp = asked
    tab.radio("try-format", "a message of a chat")
    tab.fill("try-system", "be short")
    written = site.model.tokenizer.apply_chat_template(
        [{"role": "system", "content": "be short"}, {"role": "user", "content": prompt}],
        add_generation_prompt=True,
        tokenize=False,
    )
    ids = site.model.tokenizer(written, add_special_tokens=False).input_ids
    whole = site.model.decode(decode_alone(site.model, ids, [], "all", 12).token_ids)
    stop = whole[2:4]
    tab.fill("try-stop-strings", f"{stop}\n\\n\\n")
    assert "chat with a system prompt." in tab.run()
    own = [Clamp(Neuron(*clamp[:2]), *clamp[2:])]
    for title, clamps in (("Baseline", []), ("Clamped", own)):
        text = decode_alone(site.model, ids, clamps, "all", 12, stop_strings=[stop, "\n\n"])
        assert tab.text(title) == site.model.decode(text.token_ids)
    tab.expect("#try-texts").to_contain_text("tokens, ended by a stop string")
    tab.page.get_by_text("Every token of the prompt", exact=True).click()
    shown = tab.find("#try-details details").first.locator("tbody td").all_inner_texts()
    assert "".join(map(ast.literal_eval, shown)) == written
    tab.page.get_by_role("button", name=f"Use the settings of run {tab.number()}").click()
    tab.expect("#try-system textarea").to_have_value("be short")
    tab.expect("#try-stop-strings textarea").not_to_have_value("")
    assert set(tab.held("try-stop-strings").split("\n")) == {stop, "\\n\\n"}


def test_a_model_without_a_chat_template_offers_no_chat_and_says_why(tab, site):
    if len(site.desk.models) < 2:
        pytest.skip("the repository's config has one model")
    tab.radio("try-format", "a message of a chat")
    other = site.desk.models[1]
    site.desk.shelf.get(other)
    tab.choose("model", other)
    tab.expect("#try-chat").to_contain_text(f"The tokenizer of {other} has no chat template")
    chat = tab.find("#try-format").get_by_label("a message of a chat", exact=True)
    assert chat.is_disabled() and not chat.is_checked()
    tab.expect("#try-system").to_be_hidden()


# Stop, and what is refused


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_a_run_is_stopped_midway_and_the_next_one_works(asked, site, how):
    tab, prompt, clamp = asked
    tab.fill("try-tokens", 40)
    with site.held():
        tab.start()
        tab.find("#try-texts section[aria-label=Clamped] .cs-text [title]").first.wait_for()
        stop = {"button": lambda: tab.click("#try-stop"),
                "Escape": lambda: tab.find("#try-prompt textarea").press("Escape")}  # fmt: skip
        stop[how]()
        tab.expect("#try-said").to_contain_text(re.compile(r"Stopped: run \d+\."))
    for title, clamps in (("Baseline", []), ("Clamped", [clamp])):
        whole = site.reference(prompt, clamps, n=40).token_ids
        n = int(re.search(rf"{title}: (\d+) tokens", tab.find("#try-texts").inner_text())[1])
        assert 0 < n < 40
        assert tab.text(title) == site.model.decode(whole[:n])
        tab.expect("#try-texts").to_contain_text(f"{title}: {n} tokens, stopped by you")
    row = tab.find("#try-history tbody tr").first.inner_text()
    assert "stopped" in row
    tab.fill("try-tokens", 12)
    tab.run()
    assert tab.text("Clamped") == site.words(site.reference(prompt, [clamp]))


REFUSALS = {
    "a layer that is not there": ({"clamp-1-layer": "{n_layers}"}, "clamp 1: got layer {n_layers};"
                                  " {name} has layers 0-{last_layer}"),
    "a negative layer": ({"clamp-1-layer": "-1"}, "clamp 1: got layer -1; {name} has layers 0-"),
    "half a neuron": ({"clamp-1-neuron": "1.5"}, "clamp 1: got neuron 1.5; {name} has neurons 0-"),
    "a neuron that is not there": ({"clamp-1-neuron": "{d_mlp}"}, "clamp 1: got neuron {d_mlp};"
                                   " {name} has neurons 0-{last_neuron}"),
    "no layer": ({"clamp-1-layer": ""}, "clamp 1: the layer is missing"),
    "no neuron": ({"clamp-1-neuron": ""}, "clamp 1: the neuron is missing; {name} has neurons 0-"),
    "no value": ({"clamp-1-value": ""}, "clamp 1: operation set needs a value"),
    "an empty prompt": ({"try-prompt": ""}, "the prompt is empty"),
    "a prompt longer than the context": ({"try-prompt": "{long}"}, "the model reads at most"),
    "no token": ({"try-tokens": "0"}, "max_new_tokens"),
    "no number of tokens": ({"try-tokens": ""}, "max_new_tokens"),
    "half a token": ({"try-tokens": "2.5"}, "max_new_tokens"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REFUSALS))
def test_a_fault_is_named_and_nothing_is_lost(done, site, case):
    tab, prompt, clamp = done
    faults, words = REFUSALS[case]
    spec = site.spec
    known = {"n_layers": spec.n_layers, "last_layer": spec.n_layers - 1, "d_mlp": spec.d_mlp,
             "last_neuron": spec.d_mlp - 1, "name": spec.name,
             "long": "a b " * site.model.n_ctx}  # fmt: skip
    good = {name: tab.held(name) for name in faults}
    shown = tab.text("Baseline"), tab.text("Clamped"), tab.number()
    for name, value in faults.items():
        tab.fill(name, value.format(**known))
    said = tab.refused(words.format(**known))
    assert "\n" not in said.strip()
    assert (tab.text("Baseline"), tab.text("Clamped"), tab.number()) == shown
    for name, value in good.items():
        tab.fill(name, value)
    if case == "a prompt longer than the context":  # it was refused by the model
        tab.run()
        assert tab.text("Clamped") == site.words(site.reference(prompt, [clamp]))


@pytest.fixture
def done(asked):
    """The same after a run, which is there to be lost; one run serves many tests."""
    tab, _prompt, _clamp = asked
    if tab.number() == 0 or tab.find("#try-texts section").count() < 2:
        tab.run()
    return asked


def test_the_same_neuron_twice_is_refused_unless_one_is_off(asked, site):
    tab, prompt, clamp = asked
    layer, neuron, _, _value = clamp
    tab.clamps(clamp, (0, 1, "add", 0.5), (layer, neuron, "add", 1.5))
    tab.refused(f"clamps 1 and 3 both change L{layer}N{neuron}; switch one off")
    tab.tick("clamp-3-on", on=False)
    tab.run()
    wanted = site.reference(prompt, [clamp, (0, 1, "add", 0.5)])
    assert tab.text("Clamped") == site.words(wanted)


@pytest.mark.parametrize(
    ("name", "value"),
    [("top-p", "1.5"), ("top-p", "-1"), ("temperature", ""), ("top-k", "1.5"), ("seed", "-1")],
)
def test_bad_numbers_for_sampling_are_refused(asked, name, value):
    tab, *_ = asked
    tab.radio("try-method", "sampling")
    good = {"temperature": "1", "top-k": "", "top-p": "", "seed": "0"}
    for field, usual in good.items():
        tab.fill(f"try-{field}", value if field == name else usual)
    tab.refused(name.replace("-", "_"))


@pytest.mark.parametrize("value", ["x", "", "0,0"])
def test_bad_positions_are_refused(asked, value):
    tab, *_ = asked
    tab.choose("try-scope", "positions")
    tab.fill("try-positions", value)
    tab.refused("positions")


# Hooks


def test_no_hook_stands_while_nothing_runs_and_some_do_in_a_run(asked, site, until):
    tab, *_ = asked
    before = site.n_hooks()
    tab.run()
    assert site.n_hooks() == before
    tab.fill("try-tokens", 40)
    with site.held():
        resting = site.n_hooks()
        tab.start()
        until(lambda: site.n_hooks() > resting, "no hook was ever there")
        tab.page.keyboard.press("Escape")
        tab.expect("#try-said").to_contain_text(re.compile(r"Stopped: run \d+\."))
    assert site.n_hooks() == before


def test_a_run_that_fails_says_why_and_leaves_no_hook(asked, site):
    tab, prompt, (layer, neuron, operation, _) = asked
    before = site.n_hooks()
    tab.clamp(1, layer, neuron, operation, 1.5e308 if not site.real else 3e38)
    assert "bug" not in tab.refused("finite")
    assert site.n_hooks() == before
    tab.clamp(1, layer, neuron, operation, 3.5)
    tab.run()
    wanted = site.reference(prompt, [(layer, neuron, operation, 3.5)])
    assert tab.text("Clamped") == site.words(wanted)


def test_a_closed_tab_ends_its_run_and_leaves_no_hook(visit, site, until):
    tab, prompt = visit(), site.long_prompt()
    clamp = site.strong_clamp(prompt)
    before, known = site.n_hooks(), set(site.desk._jobs)
    tab.ask(prompt, clamp, tokens=50)
    with site.held():
        tab.start()
        (job,) = (job for name, job in site.desk._jobs.items() if name not in known)
        tab.page.close()
        until(job._over.is_set, "the closed tab's job goes on")
        assert job.stopped
        until(lambda: set(site.desk._jobs) <= known, "the closed tab's job is still known")
    assert site.n_hooks() == before
    other = visit()
    other.ask(prompt, clamp)
    other.run()
    assert other.text("Clamped") == site.words(site.reference(prompt, [clamp]))


# Sampling


@pytest.mark.parametrize(
    "cuts", [{}, {"top-k": 5}, {"top-p": 0.8}, {"top-k": 12, "top-p": 0.6}], ids=str
)
def test_a_sampled_text_is_the_one_of_its_seed(asked, site, cuts):
    from clampsweep.texts.request import Decoding

    tab, prompt, clamp = asked
    tab.radio("try-method", "sampling")
    tab.fill("try-temperature", 1.5)
    for name in ("top-k", "top-p"):
        tab.fill(f"try-{name}", cuts.get(name, ""))
    own = {name.replace("-", "_"): value for name, value in cuts.items()}
    decoding = Decoding("sample", 12, temperature=1.5, **own)
    texts = []
    for seed in (3, 4, 3) if not cuts else (3,):
        tab.fill("try-seed", seed)
        assert f"seed {seed}" in tab.run()
        for title, clamps in (("Baseline", []), ("Clamped", [clamp])):
            assert tab.text(title) == site.words(site.sampled(prompt, decoding, seed, clamps))
        texts.append(tab.text("Baseline"))
    assert texts[0] == texts[-1]
    assert cuts or texts[0] != texts[1]


def test_sampling_works_as_the_form_stands(tab, site):
    from clampsweep.texts.request import Decoding

    prompt = site.long_prompt()
    tab.ask(prompt, site.strong_clamp(prompt), tokens=6)
    tab.radio("try-method", "sampling")
    held = {name: tab.held(f"try-{name}") for name in ("temperature", "top-k", "top-p", "seed")}
    assert held == {"temperature": "1", "top-k": "", "top-p": "", "seed": "0"}
    tab.run()
    said = site.words(site.sampled(prompt, Decoding("sample", 6, temperature=1.0), 0))
    assert tab.text("Baseline") == said
    tab.radio("try-method", "greedy")
    tab.fill("try-tokens", 5)
    tab.run()
    tab.page.get_by_role("button", name="Use the settings of run 1").click()
    tab.expect("#try-tokens input").to_have_value("6")
    tab.expect("#try-temperature input").to_be_visible()
    assert {name: tab.held(f"try-{name}") for name in held} == held
    tab.run()
    assert tab.text("Baseline") == said


def test_numbers_of_sampling_are_shown_where_they_count(tab):
    for name in ("temperature", "top-k", "top-p", "seed"):
        tab.expect(f"#try-{name} input").to_be_hidden()
    tab.radio("try-method", "sampling")
    for name in ("temperature", "top-k", "top-p", "seed"):
        tab.expect(f"#try-{name} input").to_be_visible()
