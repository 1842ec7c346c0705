"""What an entry wants and keeps: its texts, its controls' and its sampled baselines', its files."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

import configs
from clampsweep.studies.bcr.config import BcrEntry
from clampsweep.studies.bcr.study import (
    STUDY,
    inputs,
    kept,
    selection_input,
    table_inputs,
)
from clampsweep.studies.bcr.view import Tables
from clampsweep.texts.request import Decoding, Named, PromptFormat
from configs import BASE, IMPORTED, as_sweep, changed, parse, sweep

folder = configs.folder

FULL = "controls: {count: 3}, variability: {}, reference: facts.yaml"


def entry(text: str = "", name: str = "main") -> BcrEntry:
    """An entry of `BASE` and `IMPORTED`, `main` changed as the text says."""
    found = parse(config=BASE, overlay=changed(IMPORTED, sweep(text))).entries["bcr"][name]
    assert isinstance(found, BcrEntry)
    return found


# Texts


def test_a_plain_entry_wants_its_own_texts_alone():
    parsed = parse(config=BASE)
    assert parsed.requests() == {"main": parsed.entries["bcr"]["main"].texts}


def test_imported_texts_are_not_wanted_of_the_planner():
    assert STUDY.requests(entry(name="old")) == {}


def test_the_controls_of_a_sweep_are_a_request_like_its_own_with_targets_yet_to_be_chosen():
    text = "controls: {count: 3, seed: 4, values: [0], prompts: 6}, reference: facts.yaml"
    parsed = parse(config=BASE, overlay=sweep(text))
    assert list(parsed.requests()) == ["main", "main/controls"]
    main, controls = parsed.requests().values()
    n_controls, n_left_out = 2 * 3 * len(main.targets), len(main.values) - 1
    assert n_left_out < len(parsed.entries["bcr"]["main"].detectors)
    assert controls.targets == Named("select_controls", "main", n_controls, n_left_out)
    assert controls.needs_statistics
    assert (controls.values, controls.drawn) == ((0.0,), (6, 4))
    same = {name: getattr(main, name) for name in ("name", "targets", "values", "drawn")}
    assert replace(controls, **same) == main
    assert main.drawn is None
    assert parsed.run == ("main",)


def test_the_controls_of_all_prompts_draw_none():
    parsed = parse(config=BASE, overlay=sweep("controls: {seed: 4}"))
    assert parsed.requests()["main/controls"].drawn is None


@pytest.mark.parametrize("operation", ["mean", "zero", "resample"])
def test_controls_of_an_operation_without_values_have_the_one_that_is_none(operation):
    overlay = as_sweep(operation=operation, values=None, neurons=["L0N1"], controls={})
    parsed = parse(config=BASE, overlay=overlay)
    assert parsed.requests(["new"])["new/controls"].values == (None,)


def test_the_sampled_baselines_of_a_sweep_are_a_request_without_targets():
    text = "variability: {seeds: 9, temperature: 0.5}, controls: {prompts: 2}"
    parsed = parse(config=BASE, overlay=sweep(text))
    assert list(parsed.requests()) == ["main", "main/controls", "main/variability"]
    found = parsed.requests()["main/variability"]
    assert (found.targets, found.values, found.drawn) == ((), (), None)
    assert found.operation == "none"
    assert found.seeds == tuple(range(9))
    assert found.decoding == Decoding("sample", 8, temperature=0.5)
    assert not found.needs_statistics
    main = parsed.requests()["main"]
    assert (found.model, found.promptset) == (main.model, main.promptset)


@pytest.mark.parametrize("decoding", ["greedy", "sample, temperature: 1.0"])
def test_the_baselines_in_the_chat_format_are_a_request_like_the_sweeps_own(folder, decoding):
    (folder / "tiny/chat_template.jinja").write_text("{{ messages }}")
    how = f"decoding: {{method: {decoding}, max_new_tokens: 8}}"
    seeds = ", seeds: [3, 5]" if "sample" in decoding else ""
    parsed = parse(config=BASE, overlay=sweep(f"chat_baselines: true, {how}{seeds}"))
    assert list(parsed.requests()) == ["main", "main/chat"]
    main, chat = parsed.requests().values()
    assert chat == replace(
        main,
        name="main/chat",
        targets=(),
        operation="none",
        values=(),
        prompt_format=PromptFormat("chat"),
    )
    assert main.prompt_format == PromptFormat("raw")


def test_a_sampled_sweep_may_have_controls_with_its_own_seeds():
    sampled = "decoding: {method: sample, temperature: 1.0}"
    parsed = parse(config=BASE, overlay=sweep(f"{sampled}, seeds: [3, 5], controls: {{}}"))
    assert parsed.requests()["main/controls"].seeds == (3, 5)


# Files


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("controls: {count: 3}", ["special.parquet", "controls/rates.parquet"]),
        ("variability: {}", ["variability.parquet", "variability/generations.parquet"]),
        ("reference: facts.yaml", ["verification.md", "verification.parquet"]),
    ],
)
def test_what_is_asked_for_beside_the_sweep_is_kept_and_is_not_unless_asked_for(text, more):
    plain, asked = kept(entry()), kept(entry(text))
    assert set(more) <= set(asked) and not set(more) & set(plain)
    assert plain.items() < asked.items()


def test_of_imported_texts_is_kept_what_needs_no_model():
    generated, imported = kept(entry()), kept(entry(name="old"))
    assert set(generated) - set(imported) == {
        "vectors.npz",
        "vectors.parquet",
        "neuron_stats.parquet",
        "neuron_report.md",
    }
    assert imported.items() < generated.items()


def test_every_file_stands_in_the_entrys_folder_or_in_that_of_the_detectors_and_is_described():
    found = STUDY.files(entry(FULL))
    assert {file.partition("/")[0] for file in found} == {"main", "detectors"}
    assert all(what for what in found.values())
    assert {f"main/{file}" for file in kept(entry(FULL))} < set(found)


def test_each_figure_is_kept_as_svg_and_as_png():
    drawn = [file for file in STUDY.files(entry()) if file.startswith("main/figures/")]
    names = {ending: {f[:-4] for f in drawn if f.endswith(ending)} for ending in (".svg", ".png")}
    assert names[".svg"] == names[".png"] and len(drawn) == 2 * len(names[".svg"]) > 0


# Inputs


@pytest.mark.parametrize(("text", "name"), [("", "main"), (FULL, "main"), ("", "old")])
def test_tables_that_are_read_are_fields_of_the_view_and_files_that_are_kept(text, name):
    one = entry(text, name)
    found = table_inputs(one)
    assert set(found) <= {field.name for field in fields(Tables)}
    assert {path.removeprefix("results/") for path in found.values()} <= set(STUDY.files(one))
    assert "recovery" in found
    assert ("special" in found) == (one.controls is not None)


def test_tables_may_be_left_out_of_what_is_read():
    whole, part = table_inputs(entry(FULL)), table_inputs(entry(FULL), but=("verdicts", "ledger"))
    assert set(whole) - set(part) == {"verdicts", "ledger"}
    assert part.items() < whole.items()


def test_the_file_of_selected_neurons_is_read_where_neurons_are_selected():
    selecting = "neurons: {select: consistent, layer: last, top: 3}"
    assert selection_input(entry(selecting)) == ["results/main/selected.json"]
    assert selection_input(entry()) == selection_input(entry(name="old")) == []


def test_local_files_that_an_entry_reads_are_imported_texts_and_published_figures():
    assert inputs(entry()) == []
    assert inputs(entry("reference: facts.yaml")) == ["facts.yaml"]
    overlay = changed(IMPORTED, "sweeps: {old: {reference: facts.yaml}}")
    old = parse(config=BASE, overlay=overlay).entries["bcr"]["old"]
    assert sorted(inputs(old)) == ["facts.yaml", "old.tsv"]
