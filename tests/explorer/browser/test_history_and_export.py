"""History of the Try tab in a browser: taken up again, downloaded, and made by the workflow."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from clampsweep import tables
from clampsweep.explorer.export import EXPLORED
from clampsweep.texts import collapse
from clampsweep.texts.request import Decoding


@pytest.fixture(scope="module")
def two_runs(kept, site):
    """A tab with a greedy run (number 1) and a sampled one (number 2), and what they are of."""
    tab = kept
    prompt = site.long_prompt()
    clamp = site.strong_clamp(prompt)
    tab.ask(prompt, clamp)
    tab.run()
    second = [(0, 5, "add", 2.5), (1, 7, "zero")]
    tab.ask(site.prompts[2], *second, tokens=9)
    sampled(tab, temperature=1.25, top_k=30, top_p=0.9, seed=7)
    tab.choose("try-scope", "positions")
    tab.fill("try-positions", "1, 0")
    tab.run()
    return tab, (prompt, [clamp]), (site.prompts[2], second)


def sampled(tab, **numbers):
    tab.radio("try-method", "sampling")
    for name, usual in (("temperature", 1), ("top_k", ""), ("top_p", ""), ("seed", 0)):
        tab.fill(f"try-{name.replace('_', '-')}", numbers.get(name, usual))


def press(tab, label, number):
    tab.page.get_by_role("button", name=label.format(number), exact=True).click()


def use(tab, number):
    press(tab, "Use the settings of run {}", number)


def again(tab, number):
    press(tab, "Run the settings of run {} again", number)


def form(tab):
    """All that the form shows."""
    names = ("prompt", "tokens", "temperature", "top-k", "top-p", "seed", "scope", "positions")
    shown = [name for name in names if tab.find(f"#try-{name}").is_visible()]
    held = {name: tab.held(f"try-{name}") for name in shown}
    method = tab.find("#try-method input:checked").get_attribute("value")
    return {**held, "method": method, "rows": tab.rows()}


def downloaded(tab, name, folder):
    button = tab.find(f"#try-{name}")
    with tab.page.expect_download() as waiting:
        button.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


# Taken up again


def test_the_history_lists_the_runs_newest_first_with_what_they_were(two_runs, site):
    tab, (prompt, [clamp]), (other, _) = two_runs
    rows = tab.find("#try-history tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    rows = {row[0]: row for row in rows[-2:]}
    layer, neuron, operation, value = clamp
    assert rows["1"][1:4] == [site.name, prompt, f"L{layer}N{neuron} {operation} {value:+g}"]
    assert rows["1"][4] == "greedy; 12 tokens; scope all"
    said = site.words(site.reference(prompt, [clamp]))
    assert rows["1"][6] == " ".join(said.split())
    assert rows["2"][2:4] == [other, "L0N5 add +2.5, L1N7 zero"]
    assert rows["2"][4] == "sample, temperature 1.25, top k 30, top p 0.9, seed 7; 9 tokens; " \
        "scope 0,1"  # fmt: skip


def test_use_puts_every_setting_back(two_runs, until):
    tab, (prompt, [clamp]), (other, _) = two_runs
    layer, neuron, operation, value = clamp
    use(tab, 1)
    tab.expect("#try-prompt textarea").to_have_value(prompt)
    tab.wait_rows(1)
    first = form(tab)
    row = (True, str(layer), str(neuron), operation, str(value))
    assert (first["method"], first["tokens"], first["scope"]) == ("greedy", "12", "all")
    assert first["rows"] == [row]
    tab.fill("try-prompt", "typed by hand")
    use(tab, 2)
    tab.expect("#try-prompt textarea").to_have_value(other)
    tab.expect("#try-undo").to_have_text("Put back: typed by hand")
    tab.wait_rows(2)
    tab.expect("#try-temperature input").to_be_visible()
    second = form(tab)
    rows = second.pop("rows")
    assert [row[:4] for row in rows] == [(True, "0", "5", "add"), (True, "1", "7", "zero")]
    assert rows[0][4] == "2.5"
    second["positions"] = second["positions"].replace(" ", "")
    assert second == {"prompt": other, "tokens": "9", "temperature": "1.25", "top-k": "30",
                      "top-p": "0.9", "seed": "7", "scope": "positions", "positions": "0,1",
                      "method": "sample"}  # fmt: skip


@pytest.mark.parametrize("number", [1, 2])
def test_run_again_says_the_same_whatever_the_form_holds(two_runs, site, number):
    tab, *runs = two_runs
    prompt, clamps = runs[number - 1]
    tab.fill("try-prompt", "something else")
    tab.run(press=lambda: again(tab, number))
    if number == 1:
        texts = [site.reference(prompt, own) for own in ([], clamps)]
    else:
        decoding = Decoding("sample", 9, temperature=1.25, top_k=30, top_p=0.9)
        texts = [site.sampled(prompt, decoding, 7, own, "0,1") for own in ([], clamps)]
    assert [tab.text(one) for one in ("Baseline", "Clamped")] == list(map(site.words, texts))
    assert tab.held("try-prompt") == "something else"


def test_use_and_run_give_the_same_texts_and_the_history_keeps_its_numbers(two_runs, site):
    tab, (prompt, clamps), _ = two_runs
    use(tab, 1)
    tab.expect("#try-prompt textarea").to_have_value(prompt)
    tab.wait_rows(1)
    tab.run()
    assert tab.text("Clamped") == site.words(site.reference(prompt, clamps))
    newest = tab.number()
    press(tab, "Forget run {}", newest)
    tab.expect("#try-history tbody th >> nth=0").to_have_text(str(newest - 1))


def test_forget_removes_one_run_and_the_last_leaves_nothing_to_download(tab, site):
    tab.ask(site.prompts[0], tokens=2)
    tab.run()
    tab.run()
    press(tab, "Forget run {}", 1)
    tab.expect("#try-history tbody tr").to_have_count(1)
    assert tab.number() == 2
    press(tab, "Forget run {}", 2)
    tab.expect("#try-history").to_contain_text("No run yet.")
    for name in ("json", "parquet"):
        tab.expect(f"#try-{name}").to_be_disabled()


def test_a_run_forgotten_during_another_stays_forgotten(tab, site):
    tab.ask(site.long_prompt(), tokens=2)
    tab.run()
    tab.fill("try-tokens", 20)
    with site.held():
        tab.start()
        press(tab, "Forget run {}", 1)
        tab.expect("#try-history").to_contain_text("No run yet.")
    tab.expect("#try-said").to_contain_text(re.compile("Done: run"))
    tab.expect("#try-history tbody tr >> nth=0").to_be_visible()
    assert tab.find("#try-history tbody tr").count() == 1


def test_run_again_in_a_run_stops_that_and_both_are_in_the_history(tab, site):
    tab.ask(site.long_prompt(), tokens=3)
    tab.run()
    tab.fill("try-tokens", 40)
    with site.held():
        tab.start()
        tab.find("#try-texts [title]").nth(4).wait_for(state="attached")  # a line end has no box
        again(tab, 1)
        tab.expect("#try-history tbody tr").to_have_count(3)
    tab.expect("#try-said").to_contain_text("Done: run 3. no clamp; greedy; 3 tokens")
    rows = tab.find("#try-history tbody tr").all_inner_texts()
    assert ["stopped" in row for row in rows] == [False, True, False]
    assert tab.text("Baseline") == site.words(site.reference(site.long_prompt(), n=3))


def test_enter_in_a_run_stops_it_and_begins_another(tab, site):
    tab.ask(site.long_prompt(), tokens=40)
    with site.held():
        tab.start()
        tab.find("#try-texts [title]").nth(4).wait_for(state="attached")  # a line end has no box
        tab.fill("try-tokens", 3)
        tab.find("#try-prompt textarea").press("Enter")
        tab.expect("#try-history tbody tr").to_have_count(2)
    tab.expect("#try-said").to_contain_text("Done: run 2. no clamp; greedy; 3 tokens")
    assert tab.text("Baseline") == site.words(site.reference(site.long_prompt(), n=3))


# Files


def check_file(runs, site):
    """Rows of JSON or a table, by run and role, against the reference."""
    decoding = Decoding("sample", 9, temperature=1.25, top_k=30, top_p=0.9)
    for number, (prompt, clamps) in enumerate(runs, 1):
        for role, own in (("baseline", []), ("clamped", clamps)):
            if number == 1:
                yield number, role, prompt, own, site.reference(prompt, own)
            else:
                text = site.sampled(prompt, decoding, 7, own, "0,1")
                yield number, role, prompt, own, text


def test_the_json_file_holds_what_the_reference_says(two_runs, site, tmp_path):
    tab, *runs = two_runs
    path = downloaded(tab, "json", tmp_path)
    assert path.suffix == ".json"
    assert path.name.startswith("runs-1+2")
    found = {one["run"]: one for one in json.loads(path.read_text(encoding="utf-8"))}
    for number, role, prompt, own, text in check_file(runs, site):
        one, said = found[number], found[number]["texts"][role]
        assert (one["model"], one["prompt"]) == (site.name, prompt)
        assert said["token_ids"] == text.token_ids
        assert said["text"] == site.words(text)
        joined = "".join(said["tokens"])
        assert joined == said["text"] or "\N{REPLACEMENT CHARACTER}" in joined
        assert all(0 < p <= 1 for p in said["probabilities"])
        assert len(said["tokens"]) == len(said["probabilities"]) == len(text.token_ids)
        n = len(site.model.encode(prompt)) + len(text.token_ids)
        assert {len(values) for values in said["natural_activation"].values()} == {n}
        if own:
            keys = ("layer", "neuron", "operation", "value")
            assert [tuple(c[key] for key in keys) for c in one["clamps"]] == [
                (*c, None)[:4] for c in own
            ]
    assert found[1]["scope"] == "all" and found[2]["scope"] == "0,1"
    assert found[1]["seed"] is None and found[2]["seed"] == 7
    assert found[2]["decoding"] == {"method": "sample", "max_new_tokens": 9, "temperature": 1.25,
                                    "top_k": 30, "top_p": 0.9}  # fmt: skip


def test_the_parquet_file_is_a_table_of_the_project(two_runs, site, tmp_path):
    tab, *runs = two_runs
    path = downloaded(tab, "parquet", tmp_path)
    table = tables.read(path, EXPLORED).set_index(["run", "role"])
    shown = set(map(int, tab.find("#try-history tbody th").all_inner_texts()))
    assert {number for number, _ in table.index} == shown
    for number, role, prompt, _own, text in check_file(runs, site):
        row = table.loc[number, role]
        assert (row["prompt"], list(row["token_ids"])) == (prompt, text.token_ids)
        assert row["text"] == site.words(text)
        assert row["total_tokens"] == len(row["text"].split())
        assert len(row["probabilities"]) == len(text.token_ids)
        surface = collapse.DETECTORS["surface"](row["text"], text.token_ids)
        assert row["collapsed_surface"] == surface
        assert len(json.loads(row["clamps"])) == len(runs[number - 1][1])


def test_the_page_of_a_run_and_its_file_agree(two_runs, tmp_path):
    tab, *_ = two_runs
    tab.run(press=lambda: again(tab, 1))
    newest = json.loads(downloaded(tab, "json", tmp_path).read_text())[-1]
    assert newest["run"] == tab.number()
    shown = tab.table("#try-details")
    for column, role in enumerate(("baseline", "clamped")):
        one = newest["texts"][role]
        assert one["text"] == tab.text(role.capitalize())
        for name, value in one["metrics"].items():
            cell = shown[name][column]
            assert cell == "none" if value is None else float(cell) == pytest.approx(value, 1e-3)
        for name, collapsed in one["collapsed"].items():
            assert shown[f"collapsed ({name})"][column] == ("collapsed" if collapsed else "fine")


# Config


def config_of(tab, number):
    """Press Config of a run; the text of its file, and where it was saved."""
    press(tab, "Config file of run {}", number)
    tab.expect("#config-said").to_contain_text(f"Config file of run {number}.")
    tab.expect("#config-text .cm-content").to_contain_text("sweeps:")
    tab.click("#config-save")
    tab.expect("#config-said").to_contain_text("Saved.")
    said = tab.find("#config-said").inner_text()
    return re.search(r"CONFIG=(\S+)", said)[1]


CASES = {"greedy": ([], "all"), "sampled": ([(0, 3), (2, 5)], "generated")}


@pytest.mark.parametrize("case", ["greedy", pytest.param("sampled", marks=pytest.mark.slow)])
def test_the_workflow_makes_the_texts_of_a_run_from_its_config(tab, site, case):
    if site.real:
        pytest.skip("the workflow on the real model takes minutes; make reproduce does it")
    neurons, scope = CASES[case]
    prompt = site.long_prompt()
    own = [site.strong_clamp(prompt), (0, 3, "set", 1.5)]  # each neuron has a value of its own
    clamps = [(*neuron, "set", 4.5) for neuron in neurons] or own
    tab.ask(prompt, *clamps)
    if case == "sampled":
        sampled(tab, temperature=1.5, top_p=0.9, seed=5)
        tab.choose("try-scope", scope)
    tab.run()
    name = config_of(tab, 1)
    content = yaml.safe_load((site.project.folder / name).read_text(encoding="utf-8"))
    (entry,) = content["sweeps"]
    assert content["sweeps"][entry]["scope"] == scope
    shown = tab.find("#config-text .cm-content").inner_text()
    assert yaml.safe_load(shown) == content
    project = site.project
    project.run(f"results/{entry}/generations.parquet", "--configfile", name).checked()
    table = project.table("generations", entry)
    texts = {row.operation: row.text for row in table.itertuples()}
    assert texts["none"] == tab.text("Baseline")
    assert texts["set"] == tab.text("Clamped")
    assert texts["none"] != texts["set"]
    assert set(table.loc[table["operation"] == "set", "target"]) == {
        "+".join(
            f"L{layer}N{neuron}" if neurons else f"L{layer}N{neuron}={value:g}"
            for layer, neuron, _, value in sorted(clamps)
        )
    }


@pytest.mark.parametrize(
    ("clamps", "words"),
    [
        ([(0, 3, "set", 1.5), (1, 3, "add", 1.5)], "make their operations alike"),
        ([], "no clamp is on"),
    ],
)
def test_clamps_that_are_no_sweep_have_no_config_and_it_says_why(two_runs, site, clamps, words):
    tab, *_ = two_runs
    tab.radio("try-method", "greedy")
    tab.choose("try-scope", "all")
    tab.ask(site.prompts[0], *clamps, tokens=2)
    tab.run()
    number = tab.number()
    press(tab, "Config file of run {}", number)
    tab.expect("#config-said [role=alert]").to_contain_text(words)
    tab.expect("#config-said").to_contain_text(f"run {number}: ")
    for one in clamps:
        tab.expect("#config-said").to_contain_text(f"L{one[0]}N{one[1]}")
    tab.click("#config-save")
    tab.expect("#config-said [role=alert]").to_contain_text("Press Config at a run")


def test_saving_before_a_run_was_chosen_is_refused(tab):
    tab.find("#config").get_by_role("button").first.click()
    tab.click("#config-save")
    tab.expect("#config-said [role=alert]").to_contain_text("Press Config at a run in the history")
