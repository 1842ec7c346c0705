"""What is said of a run before and after it; bounds against what is wanted in the end."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from clampsweep.texts import forecast
from clampsweep.texts.cost import Load, Size
from clampsweep.texts.forecast import Counts, Forecast
from clampsweep.texts.request import Named, Selection
from clampsweep.texts.selection import Selected
from clampsweep.texts.speed import Pace, Seconds
from clampsweep.texts.wanted import interventions
from requested import GREEDY, MODEL, REQUEST, change, prompts

SEEN = Forecast(
    texts=Counts(2240, 160),
    later={"bcr/controls": 3200},
    items={},
    models=[],
    time=Seconds(240.0),
    time_later=Seconds(150.0),
    alone=False,
    places=["results/bcr/summary.md"],
)


def test_a_run_is_said_in_texts_minutes_and_places() -> None:
    assert SEEN.lines() == [
        "Texts: 2,240 new, 160 reused; up to 3,200 more of bcr/controls, whose neurons follow "
        "from the first texts.",
        "Time: about 6 minutes in all, about 2 minutes of it for what is not known yet.",
        "Results: results/bcr/summary.md",
    ]


def test_whatever_there_is_to_say_takes_five_lines_and_no_words_of_snakemake() -> None:
    seen = replace(
        SEEN,
        later={f"s{n}/controls": 10 for n in range(9)} | {f"s{n}": None for n in range(9)},
        items={f"s/losses{n}": Counts(n, 3) for n in range(8)} | {"s/more": None},
        models=[f"m{n}" for n in range(9)],
        places=[f"results/s{n}/summary.md" for n in range(9)],
        time_later=Seconds(5.0, guessed=True),
        alone=True,
    )
    lines = seen.lines()
    assert len(lines) == 5
    assert max(map(len, lines)) < 250
    assert not re.search("job|rule|checkpoint|dag|workflow|batch|wildcard", " ".join(lines), re.I)
    assert "up to 90 more of s0/controls, s1/controls, s2/controls and 6 more, whose" in lines[0]
    assert lines[0].endswith("; those of s0, s1, s2 and 6 more are not known yet.")
    assert lines[1] == (
        "Other work: s/losses0 0 new, 3 reused; s/losses1 1 new, 3 reused; "
        "s/losses2 2 new, 3 reused; 6 more."
    )
    assert lines[2] == "Models to fetch or make first: m0, m1, m2 and 6 more."
    assert lines[3] == (
        "Time: about 4 minutes of computing, about 5 s of it for what is not known yet "
        "(a guess: no text was made here yet)."
    )


def test_where_nothing_is_to_be_done_there_is_one_line() -> None:
    done = replace(
        SEEN, texts=Counts(0, 2400), later={}, time=Seconds(0.0), time_later=Seconds(0.0)
    )
    said = "Nothing to do: 2,400 texts and all results are there. Results: results/bcr/summary.md"
    assert done.lines() == [said]
    assert replace(done, texts=Counts(0, 0)).lines()[0].startswith("Nothing to do: all results are")


def test_tables_alone_are_work_too() -> None:
    tables = replace(SEEN, texts=Counts(0, 9), later={}, time=Seconds(4), time_later=Seconds(0))
    assert tables.lines()[:2] == ["Texts: 0 new, 9 reused.", "Time: about 4 s in all."]


def test_nobody_knows_a_gpus_speed_before_it_was_used(tmp_path: Path) -> None:
    load = Load.alike(2, GREEDY, "all", ["a"]).times(1, 0)
    known = forecast.time_of([(MODEL, load)], [], "auto", 2, tmp_path)
    assert known == Seconds(None)
    said = replace(SEEN, time=SEEN.time + known).lines()
    assert replace(SEEN, time=known).expected() == ""
    assert said[1] == "Time: not known; no text was made on this machine's GPU yet."


def test_a_run_says_after_it_what_it_made() -> None:
    assert forecast.outcome(Counts(3360, 40), 250.0, SEEN.expected()) == (
        "Texts: 3,360 made, 40 reused. Time: 4 minutes (expected: about 6 minutes)."
    )
    assert forecast.outcome(Counts(1, 0), 30.0, "") == "Texts: 1 made, 0 reused. Time: 30 s."


@pytest.mark.parametrize("count", [1, 3])
def test_the_bound_is_all_that_the_named_neurons_can_want(count: int) -> None:
    request = change(name="main/controls", targets=Named("c", "main", count), seeds=(0, 1))
    table = prompts("One", "Two two")
    names = tuple(f"L2N{n}" for n in range(count))
    wanted = interventions(request, table, Selected(names, (0.0,) * count, ()))
    entry = change(targets=("L2N9",))
    bound = forecast.bound(request, list(table["text"]), {"main": entry, request.name: request})
    assert [(load.layer, load.rows, load.tokens) for load in bound] == [
        (2, len(wanted), 8 * len(wanted))
    ]


def test_unnamed_neurons_may_be_in_each_layer_of_the_entrys() -> None:
    request = change(targets=Named("c", "main", 4))
    bound = forecast.bound(request, ["One"], {"main": REQUEST})
    assert [(load.layer, load.rows) for load in bound] == [(0, 4), (1, 4)]
    chosen = change(targets=Selection("consistent", 2, 3))
    assert [load.layer for load in forecast.bound(chosen, ["One"], {})] == [2]
    anywhere = change(targets=Selection("consistent", None, 3))
    assert [load.layer for load in forecast.bound(anywhere, ["One"], {})] == [1]


def test_values_that_are_chosen_for_each_target_count_for_all_of_them() -> None:
    request = change(targets=Named("c", "main", 4, 3), values=(0.0, 1.0))
    bound = forecast.bound(request, ["One"], {"main": REQUEST})
    assert sum(load.rows for load in bound) == 4 * (2 + 3)


def test_where_a_study_does_not_say_how_many_it_names_nobody_knows() -> None:
    request = change(targets=Named("c", "main"))
    assert forecast.bound(request, ["One"], {"main": REQUEST}) is None


def test_texts_take_their_cost_at_the_rate_of_their_model(tmp_path: Path) -> None:
    size, loads = Size.of(tmp_path, MODEL.n_layers, MODEL.d_mlp), []
    paces = []
    for layer, rate in ((0, 100.0), (2, 50.0)):
        loads.append(Load.alike(2, GREEDY, "all", ["One"]).times(1, layer))
        paces.append(Pace("b", MODEL.identity, "cpu", 2, layer, False, 10 * rate, 10.0))
    found = forecast.time_of([(MODEL, load) for load in loads], paces, "cpu", 2, tmp_path)
    expected = loads[0].flops(size) / 100 + loads[1].flops(size) / 50
    assert found == (pytest.approx(expected), False)


def test_of_jobs_side_by_side_the_longest_or_the_sum_decides() -> None:
    times = [Seconds(6.0), Seconds(2.0, guessed=True), Seconds(1.0)]
    assert forecast.together(times, 1) == (9.0, True)
    assert forecast.together(times, 2) == (6.0, True)
    assert forecast.together([*times, Seconds(5.0)], 2) == (7.0, True)
    assert forecast.together([*times, Seconds(None)], 2) == (None, False)
    assert forecast.together([], 0) == (0.0, False)
    assert forecast.together([Seconds(12.0).over(3)] * 3, 1) == (12.0, False)


def test_the_first_estimate_is_called_a_guess(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("clampsweep.texts.forecast.speed.guess", lambda threads: threads * 1e6)
    load = Load.alike(2, GREEDY, "all", ["One"]).times(1, 0)
    flops = load.flops(Size.of(tmp_path, MODEL.n_layers, MODEL.d_mlp))
    found = forecast.time_of([(MODEL, load)], [], "cpu", 2, tmp_path)
    assert found == (pytest.approx(flops / 2e6), True)
