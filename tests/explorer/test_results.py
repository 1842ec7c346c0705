"""What the Results tab shows of a sweep: reading, selection, grid and reading, counted by hand."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.explorer import results, results_figure, results_pages, results_verdicts
from clampsweep.explorer.results import Chosen
from clampsweep.studies.bcr.figures.draw import FIGURES
from clampsweep.studies.bcr.figures.states import STATES
from clampsweep.studies.bcr.view import SCHEMAS
from clampsweep.texts.selection import NEURON_STATS
from clampsweep.verdicts import VERDICTS
from factories import baseline, generation, prompt
from sweep_tables import (
    BROKEN,
    FINE,
    HOSTILE,
    PLACES,
    beside_controls,
    clamped,
    known,
    make,
    stats,
    untouched,
    write,
)


def factored():
    """`known` with factors: a, b are declarative of core one; c, d rhetorical of core two."""
    facts = {"a": ("one", "declarative", 1), "b": ("one", "declarative", 2)}
    facts |= {"c": ("two", "rhetorical", 10), "d": ("two", "rhetorical", 2)}
    own = [
        prompt(f"Say {name}", name, core=core, type=kind, level=level)
        for name, (core, kind, level) in facts.items()
    ]
    return make(known(), ("surface", "entropy"), own)


def controlled(sweep, prompts="abcd"):
    """The sweep beside two control neurons of L1N2, run on some of its prompts at +10."""
    rows = [
        generation(name, FINE, 10.0, target=control)
        for control in ("L1N7", "L1N8")
        for name in prompts
    ]
    kinds = {"L1N7": ("L1N2", "neuron"), "L1N8": ("L1N2", "neuron")}
    return beside_controls(sweep, rows, kinds)


class Page(HTMLParser):
    """Tags with their attributes, and the text, of some HTML."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(str(html))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(self.words)


def labels(sweep, detector="surface"):
    page = Page(results_pages.grid(sweep, detector))
    return [button["aria-label"] for button in page.all("button")]


# Listing and reading.


def test_sweeps_are_the_folders_with_verdicts_of_the_study_and_a_name_that_a_config_allows(
    tmp_path,
):
    verdicts = make(known()).verdicts
    for name in ("second", "First", "<b>", ".hidden"):
        tables.write(verdicts, tmp_path / name / "verdicts.parquet", VERDICTS, {})
    (tmp_path / "plans").mkdir()
    other = verdicts.assign(study="scrubbing")
    tables.write(other, tmp_path / "heads" / "verdicts.parquet", VERDICTS, {})
    assert set(results.sweeps(tmp_path)) == {"First", "second"}
    assert results.sweeps(tmp_path / "nowhere") == {}


def test_texts_without_verdicts_are_of_another_version_or_unfinished_and_no_sweep(tmp_path):
    write(factored(), tmp_path / "old")
    (tmp_path / "old" / "verdicts.parquet").unlink()
    assert results.sweeps(tmp_path) == {}


def test_a_sweep_with_damaged_verdicts_is_named_and_says_so_when_it_is_read(tmp_path):
    write(factored(), tmp_path / "tiny")
    (tmp_path / "tiny" / "verdicts.parquet").write_bytes(b"PAR1")
    assert list(results.sweeps(tmp_path)) == ["tiny"]
    with pytest.raises(UserError, match=r"verdicts\.parquet: not a whole"):
        results.read(tmp_path, "tiny")


def test_a_sweep_is_read_as_written_detectors_and_title_from_its_tables(tmp_path):
    sweep = controlled(factored())
    write(sweep, tmp_path / "tiny")
    found = results.read(tmp_path, "tiny")
    assert found.detectors == ("surface", "entropy")
    assert found.title == "tiny: tiny, L1N2, set"
    assert found.controls["control"].tolist() == ["L1N7", "L1N8"]
    assert labels(found) == labels(sweep)


def test_many_targets_are_counted_in_the_title(tmp_path):
    rows = untouched("F")
    for n in range(4):
        rows += clamped(f"L1N{n}", {1.0: "F"})
    write(make(rows), tmp_path / "wide")
    assert results.read(tmp_path, "wide").title == "wide: tiny, 4 targets, set"


@pytest.mark.parametrize("lost", ["special", "control_recovery", "control_metrics"])
def test_controls_are_shown_only_where_all_their_files_are_there(tmp_path, lost):
    write(controlled(factored()), tmp_path / "tiny")
    (tmp_path / "tiny" / f"{PLACES[lost]}.parquet").unlink()
    found = results.read(tmp_path, "tiny")
    assert found.controls is None and found.special is None and found.among_controls is None


@pytest.mark.parametrize("name", ["prompts", "generations", "recovery", "split_half"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_table_is_one_line_with_its_name(tmp_path, name, damage):
    write(factored(), tmp_path / "tiny")
    path = tmp_path / "tiny" / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:200])
    if damage == "gone":
        path.unlink()
    with pytest.raises(UserError, match=rf"{name}\.parquet: .*run") as caught:
        results.read(tmp_path, "tiny")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["generations", "prompts", "text_metrics"])
def test_tables_of_different_runs_are_refused(tmp_path, name):
    sweep = factored()
    write(sweep, tmp_path / "tiny")
    own = getattr(sweep, name)
    path = tmp_path / "tiny" / f"{name}.parquet"
    tables.write(own[own["prompt_id"] != "d"], path, SCHEMAS[name], {})
    with pytest.raises(UserError, match=r"are of different runs; .* run it again"):
        results.read(tmp_path, "tiny")


@pytest.mark.parametrize("name", ["../results", "", "a/b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="is no name of a sweep; choose one"):
        results.read(tmp_path, name)


def test_the_newest_sweep_comes_first_whatever_its_name(tmp_path):
    for age, name in enumerate(("m", "z", "a")):
        write(factored(), tmp_path / name)
        os.utime(tmp_path / name / "verdicts.parquet", (1e9 - age, 1e9 - age))
    made = results.sweeps(tmp_path)
    assert list(made) == ["m", "z", "a"]
    assert made["m"] == datetime.fromtimestamp(1e9)


# Selection.


def test_the_users_own_columns_are_factors_to_filter_by():
    sweep = factored()
    sweep = replace(sweep, prompts=sweep.prompts.assign(mood=["x", "y", "x", None]))
    assert results.further_factors(sweep) == [("mood", "x"), ("mood", "y")]
    found = results.select(sweep, Chosen(others=(("mood", "x"),)))
    assert set(found.recovery["prompt_id"]) == {"a", "c"}
    assert "filtered: mood x (2 of 4 prompts)" in found.title
    both = results.select(sweep, Chosen(others=(("mood", "x"), ("mood", "y")), level=("2",)))
    assert set(both.recovery["prompt_id"]) == {"b"}


def test_factor_values_are_those_of_the_prompts_levels_by_number():
    sweep = factored()
    assert results.factor_values(sweep, "level") == ["1", "2", "10"]
    assert results.factor_values(sweep, "type") == ["declarative", "rhetorical"]
    assert results.factor_values(make(known()), "core") == []


def test_no_choice_is_the_sweep_itself():
    sweep = factored()
    assert results.select(sweep, Chosen()) is sweep
    assert "All 4 prompts" in results.note(sweep, sweep)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Chosen(core=("one",)), "ab"),
        (Chosen(type=("rhetorical",)), "cd"),
        (Chosen(level=("2",)), "bd"),
        (Chosen(level=("1", "10")), "ac"),
        (Chosen(core=("one", "two"), level=("2",), type=("declarative",)), "b"),
    ],
)
def test_factors_choose_prompts_in_every_table(choice, names):
    found = results.select(factored(), choice)
    for frame in (found.prompts, found.generations, found.text_metrics, found.recovery):
        assert set(frame["prompt_id"]) == set(names)
    assert f"{len(names)} of 4 prompts" in found.title


def test_rates_of_a_selection_are_counted_anew():
    found = results.select(factored(), Chosen(level=("2",)))  # b: broken; d: fine
    rates = found.rates[found.rates["detector"] == "surface"].set_index("value")
    counts = rates[["n", "n_collapsed_baseline", "n_rescued", "n_harmed"]]
    assert counts.to_dict("index") == {  # by hand from `known`
        -5.0: {"n": 2, "n_collapsed_baseline": 1, "n_rescued": 0, "n_harmed": 1},
        0.0: {"n": 2, "n_collapsed_baseline": 1, "n_rescued": 0, "n_harmed": 0},
        10.0: {"n": 2, "n_collapsed_baseline": 1, "n_rescued": 1, "n_harmed": 1},
    }
    assert "exploratory" in found.title
    assert "results in sight" in results.note(factored(), found)


def test_targets_are_chosen_and_baselines_stay():
    rows = untouched("BF") + clamped("L1N2", {1.0: "FF"}) + clamped("L0N3", {2.0: "BB"})
    found = results.select(make(rows), Chosen(targets=("L0N3",)))
    assert found.targets == ("L0N3",) and found.labels == ("+2",)
    assert len(found.generations) == 4 and found.rates["target"].tolist() == ["L0N3"]


def test_controls_are_ranked_anew_on_the_prompts_chosen():
    sweep = controlled(factored())
    found = results.select(sweep, Chosen(type=("rhetorical",)))  # c, d: both fine at first
    rows = found.special.query("detector == 'surface' and statistic == 'worst_net'")
    assert rows[["observed", "n_prompts", "control_high"]].values.tolist() == [[1.0, 2, 0.0]]
    assert set(found.control_metrics["prompt_id"]) == {"c", "d"}


def test_controls_that_share_no_text_are_left_out_and_said_to_be():
    sweep = controlled(factored(), prompts="ab")
    found = results.select(sweep, Chosen(type=("rhetorical",)))
    assert found.controls is None and found.special is None
    assert "controls have no text in it" in results.note(sweep, found)


def test_a_selection_without_texts_is_refused():
    with pytest.raises(UserError, match="no clamped text fits these filters; clear one"):
        results.select(factored(), Chosen(core=("one",), type=("rhetorical",)))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_a_selection_is_an_image_with_words_and_two_downloads(name):
    sweep = controlled(factored())
    found = Page(results_figure.figure(results.select(sweep, Chosen(level=("2",))), name, "tiny-x"))
    (image,), links = found.all("img"), found.all("a")
    assert image["src"].startswith("data:image/svg+xml;base64,")
    assert len(image["alt"]) > 40 and "exploratory" in image["alt"]
    assert [link["download"] for link in links] == ["tiny-x.svg", "tiny-x.png"]
    assert links[1]["href"].startswith("data:image/png;base64,iVBOR")


def test_dose_curves_and_controls_come_with_their_numbers():
    sweep = controlled(factored())
    for name in ("rescue_vs_harm", "improvement_rate"):
        text = Page(results_figure.figure(sweep, name, "x")).text
        assert text.index("set -5") < text.index("set 0") < text.index("set +10")
    assert "best_net" in Page(results_figure.figure(sweep, "controls", "x")).text
    assert "Numbers" not in Page(results_figure.figure(sweep, "states", "x")).text


def test_the_colours_of_the_states_are_those_of_the_figure():
    css = Path(results.__file__).with_name("results.css").read_text(encoding="utf-8")
    found = re.findall(r"\.cs-state-(\d) \{[^}]*background: (#\w+);", css)
    assert [(int(place), colour.upper()) for place, colour in found] == [
        (place, colour.upper()) for place, (_, colour) in enumerate(STATES)
    ]
    assert [state for state, _ in results_pages.STATES] == [state for state, _ in STATES]


# Verdicts.


def test_verdicts_stand_above_the_ledger_of_their_controls():
    sweep = controlled(factored())
    page = Page(results_verdicts.verdicts(sweep))
    said = " ".join(page.text.split())
    for row in sweep.verdicts.to_dict("records"):
        assert row["words"] in said and row["why"] in said
    for row in sweep.ledger.to_dict("records"):
        assert row["control"] in said and ("skipped" in said or row["ran"])
    assert said.index("Verdicts.") < said.index("Controls of these verdicts")


def test_verdicts_of_a_selection_come_with_a_ledger_of_their_own():
    sweep = controlled(factored(), prompts="ab")
    found = results.select(sweep, Chosen(type=("rhetorical",)))  # no control has a text there
    assert found.ledger is not None and not found.ledger.equals(sweep.ledger)
    assert "too few controls" not in results_verdicts.verdicts(found)
    assert "not compared with controls" in results_verdicts.verdicts(found)


def test_a_sweep_without_a_ledger_says_so(tmp_path):
    write(factored(), tmp_path / "old")
    (tmp_path / "old" / "ledger.parquet").unlink()
    assert "no ledger.parquet" in results_verdicts.verdicts(results.read(tmp_path, "old"))


# The grid.


def test_a_row_is_headed_by_the_prompt_shortened_and_its_name():
    own = [prompt("word " * 50, "a")]
    page = Page(
        results_pages.grid(
            make(untouched("F") + clamped("L1N2", {1.0: "F"}), prompts=own), "surface"
        )
    )
    head = next(one for one in page.all("th") if one.get("scope") == "row")
    assert head["title"] == "a: " + "word " * 50
    assert " ".join(page.text.split()).count("word") == 12 and "… a" in " ".join(page.text.split())


def test_each_cell_says_prompt_clamp_and_state():
    assert labels(factored()) == [  # by hand from `known`
        "a, L1N2 -5: rescued", "a, L1N2 0: both collapsed", "a, L1N2 +10: rescued",
        "b, L1N2 -5: both collapsed", "b, L1N2 0: both collapsed", "b, L1N2 +10: rescued",
        "c, L1N2 -5: harmed", "c, L1N2 0: both fine", "c, L1N2 +10: both fine",
        "d, L1N2 -5: harmed", "d, L1N2 0: both fine", "d, L1N2 +10: harmed",
    ]  # fmt: skip


def test_cells_carry_class_cue_and_what_they_are_of():
    sweep = factored()
    page = Page(results_pages.grid(sweep, "surface"))
    first = page.all("button")[0]
    own = sweep.generations.query("prompt_id == 'a' and value == -5")
    assert first["class"] == "cs-cell cs-state-1"
    assert (first["data-prompt"], first["data-clamp"]) == ("a", "-5")
    assert first["data-key"] == own["key"].item()
    assert [button["tabindex"] for button in page.all("button")] == ["0", *["-1"] * 11]
    cues = [word for word in page.words if word in "·RHC"]
    baselines = {"a": "C", "b": "C", "c": "·", "d": "·"}
    by_hand = {"a": "RCR", "b": "CCR", "c": "H··", "d": "H·H"}
    assert "".join(cues) == "·RHC" + "".join(baselines[p] + by_hand[p] for p in "abcd")


def test_the_legend_counts_every_state():
    text = " ".join(Page(results_pages.grid(factored(), "surface")).text.split())
    for words in ("both fine 3", "rescued 3", "harmed 3", "both collapsed 3"):
        assert words in text


def test_rows_stand_core_by_core_with_a_row_per_seed():
    rows = [baseline(name, FINE, seed=seed) for name in "abc" for seed in (1, 0)]
    rows += [generation(name, FINE, 5.0, seed=seed) for name in "abc" for seed in (1, 0)]
    cores = {"a": "one", "b": "two", "c": "one"}
    sweep = make(rows, prompts=[prompt(f"Say {n}", n, core=core) for n, core in cores.items()])
    assert [label.removesuffix(", L1N2 +5: both fine") for label in labels(sweep)] == [
        "a, seed 0", "a, seed 1", "c, seed 0", "c, seed 1", "b, seed 0", "b, seed 1",
    ]  # fmt: skip


def test_a_text_without_seed_stands_for_every_seed():
    rows = [baseline("a", BROKEN)]
    rows += [generation("a", FINE, 5.0)]
    rows += [generation("a", BROKEN, operation="resample", seed=seed) for seed in (0, 1)]
    assert labels(make(rows)) == [
        "a, seed 0, L1N2 +5: rescued", "a, seed 0, L1N2 resample: both collapsed",
        "a, seed 1, L1N2 +5: rescued", "a, seed 1, L1N2 resample: both collapsed",
    ]  # fmt: skip


def test_several_targets_have_columns_each_and_gaps_where_nothing_was_made():
    rows = untouched("BF") + clamped("L1N2", {1.0: "F ", 2.0: "FF"}) + clamped("L0N3", {2.0: "BB"})
    page = Page(results_pages.grid(make(rows), "surface"))
    assert [button["aria-label"] for button in page.all("button")] == [
        "a, L0N3 +2: both collapsed", "a, L1N2 +1: rescued", "a, L1N2 +2: rescued",
        "b, L0N3 +2: harmed", "b, L1N2 +2: both fine",
    ]  # fmt: skip
    groups = [head for head in page.all("th") if head.get("scope") == "colgroup"]
    assert [head["colspan"] for head in groups] == ["1", "2"]


def test_a_long_grid_is_cut_and_says_how_to_see_the_rest(monkeypatch):
    monkeypatch.setattr(results_pages, "MAX_ROWS", 3)
    page = Page(results_pages.grid(factored(), "surface"))
    assert len(page.all("button")) == 9
    assert "The first 3 of 4 rows. Filter by core, type or level for others." in page.text
    monkeypatch.setattr(results_pages, "MAX_CELLS", 6)  # two rows of three clamps
    assert len(Page(results_pages.grid(factored(), "surface")).all("button")) == 6


# The reading.


def key_of(sweep, name, value):
    rows = sweep.generations
    return rows[(rows["prompt_id"] == name) & (rows["value"] == value)]["key"].item()


def test_a_reading_shows_prompt_both_texts_flags_and_numbers():
    sweep = factored()
    text = " ".join(Page(results_pages.reading(sweep, "a", key_of(sweep, "a", -5.0))).text.split())
    assert "a: L1N2 set -5" in text and "Say a" in text
    assert BROKEN in text and "stands" in text
    assert "surface collapsed fine rescued" in text
    assert "words 1 5" in text  # aaaaaaaaaa; The door stands open now.
    assert "ended by max_new_tokens max_new_tokens" in text


def test_the_baseline_is_that_of_the_same_seed_or_the_one_without():
    rows = [baseline("a", f"Drawn by lot {seed}.", seed=seed) for seed in (0, 1)]
    rows += [generation("a", FINE, 5.0, seed=seed, key=f"k{seed}") for seed in (0, 1)]
    page = Page(results_pages.reading(make(rows), "a", "k1"))
    assert "1." in page.words and "0." not in page.words and "seed 1" in page.text
    rows = [baseline("a", "Without seed."), generation("a", FINE, 5.0, seed=4, key="k")]
    assert "Without" in Page(results_pages.reading(make(rows), "a", "k")).text


@pytest.mark.parametrize(("name", "key"), [("a", "none"), ("z", "k"), ("a", "of the baseline")])
def test_a_text_that_is_not_shown_is_refused(name, key):
    rows = [baseline("a", FINE, key="of the baseline"), generation("a", FINE, 5.0, key="k")]
    with pytest.raises(UserError, match="not among those shown; choose another cell"):
        results_pages.reading(make(rows), name, key)


def test_nothing_that_a_table_holds_becomes_markup():
    rows = [baseline(HOSTILE, HOSTILE), generation(HOSTILE, HOSTILE + " more", 5.0, key=HOSTILE)]
    own = [prompt(HOSTILE, HOSTILE, core=HOSTILE, type=HOSTILE)]
    sweep = make(rows, prompts=own)
    renamed = {"target": HOSTILE, "stop_reason": HOSTILE, "model": HOSTILE}
    clamped_rows = sweep.generations["operation"] != "none"
    sweep.generations.loc[clamped_rows, list(renamed)] = list(renamed.values())
    for frame in (sweep.recovery, sweep.rates):
        frame["target"] = HOSTILE
    sweep.text_metrics["target"] = sweep.text_metrics["target"].mask(clamped_rows, HOSTILE)
    pages = [
        results_pages.grid(sweep, "surface"),
        results_pages.reading(sweep, HOSTILE, HOSTILE),
        results_figure.figure(sweep, "rescue_vs_harm", HOSTILE),
        results.note(sweep, results.select(sweep, Chosen(type=(HOSTILE,)))),
        results_verdicts.verdicts(sweep),
    ]
    for page in map(Page, pages):
        assert all(image["src"].startswith("data:") for image in page.all("img"))
        assert not any("onerror" in attributes for _, attributes in page.tags)
    assert HOSTILE in Page(pages[0]).all("button")[0]["aria-label"]


def test_levels_may_be_missing():
    own = [prompt("Say a", "a", level=3), prompt("Say b", "b")]
    rows = untouched("BF") + clamped("L1N2", {1.0: "FF"})
    found = results.select(make(rows, prompts=own), Chosen(level=("3",)))
    assert found.prompts["prompt_id"].tolist() == ["a"]


def test_natural_ranges_stay_those_of_the_whole_sweep():
    own = NEURON_STATS
    frame = pd.DataFrame([stats(1, 2)], columns=list(own.columns))
    sweep = make(known(), neuron_stats=frame)
    found = results.select(sweep, Chosen(targets=("L1N2",)))
    assert found.neuron_stats is frame


# What steers, and neurons with values of their own.


def steered():
    """Two layers' direction, each beside its baselines, and two random ones for the first."""
    rows = untouched("BBFF")
    for layer in (1, 2):
        own = {1.0: "FFFB", -1.0: "FBBB"}
        rows += clamped(f"L{layer}@calm", own, operation="steer")
    random = [f"L1R{number}@calm" for number in (0, 1)]
    texts = [
        generation(name, FINE, 1.0, target=target, operation="steer")
        for target in random
        for name in "abcd"
    ]
    return beside_controls(make(rows), texts, dict.fromkeys(random, ("L1@calm", "direction")))


def test_a_sweep_that_steers_is_shown_whole_and_in_part(tmp_path):
    write(steered(), tmp_path / "along")
    sweep = results.read(tmp_path, "along")
    assert sweep.title == "along: tiny, L1@calm, L2@calm, steer"
    assert "a, L1@calm +1: rescued" in labels(sweep) and "d, L2@calm +1: harmed" in labels(sweep)
    part = results.select(sweep, Chosen(targets=("L1@calm",)))
    assert set(part.controls["control"]) == {"L1R0@calm", "L1R1@calm"}
    assert Page(results_pages.reading(part, "a", key_of(part, "a", 1.0))).text.startswith(
        "a: L1@calm steer +1"
    )
    assert "L1@calm" in results_figure.figure(part, "controls", "x")
    assert "L1@calm" in results_figure.figure(part, "rescue_vs_harm", "x")


def test_a_target_of_many_neurons_with_their_values_has_a_short_name(tmp_path):
    many = "+".join(f"L1N{neuron}={neuron / 4}" for neuron in range(90))
    rows = untouched("BF") + clamped(many, {None: "FB"}) + clamped("L1N2=3", {None: "FF"})
    write(make(rows), tmp_path / "own")
    sweep = results.read(tmp_path, "own")
    short = "L1N0=0.0 and 89 more"
    assert sweep.title == f"own: tiny, L1N2=3, {short}, set"
    assert f"b, {short} set: harmed" in labels(sweep)
    key = sweep.generations.set_index(["target", "prompt_id"]).loc[(many, "a"), "key"]
    assert f"a: {short} set" in results_pages.reading(sweep, "a", key)
    assert short in results_figure.figure(sweep, "rescue_vs_harm", "x")
    assert results.select(sweep, Chosen(targets=(many,))).targets == (many,)
