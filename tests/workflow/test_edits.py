"""After an edit just what the edit asks for is computed: each test looks at what is on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from copy import deepcopy

import pytest
from harness import PROMPTS, RATES, TEXTS, Project, Run, digests, new_batches

ONCE_PER_SWEEP = (
    "prompts",
    "gather",
    "neuron_stats",
    "text_metrics",
    "recovery",
    "split_half",
    "bcr_verdicts",
    "export",
    "export_vectors",
    "figures",
    "reports",
    "neuron_report",
)
ONCE = ("fetch_model", "detector_quality", "detector_figure")


def test_the_first_run_makes_everything(first_run: tuple[Project, Run]) -> None:
    project, run = first_run
    assert run.rules == {**dict.fromkeys((*ONCE_PER_SWEEP, *ONCE), 1), "generate": 2}
    wanted = run.output.partition("localrule all:\n    input: ")[2].partition("\n")[0].split(", ")
    # tables and reports, figures, batches, model, detectors
    assert len(wanted) == 17 + 7 * 2 + 2 * 2 + 1 + 5
    assert all(project.path(name).stat().st_size > 0 for name in wanted)
    texts = project.table("generations")
    assert texts.groupby("prompt_id", sort=False)["operation"].agg(list).to_dict() == {
        prompt: ["none", "set", "set", "set"] for prompt in PROMPTS
    }
    assert {len(batch) for batch in project.batches().values()} == {4, 12}
    assert not list(project.folder.glob("results/.scratch/*"))


def test_from_nothing_the_same_files_are_made_again_in_forks_too(
    first_run: tuple[Project, Run], fresh: Project
) -> None:
    assert fresh.run().checked().rules == first_run[1].rules
    made, expected = (project.states("results/**/*") for project in (fresh, first_run[0]))
    assert made.keys() == expected.keys()
    same = {name for name, state in made.items() if state.digest == expected[name].digest}
    assert {name for name in made.keys() - same if not name.endswith(".svg")} == set()


def test_the_second_run_has_nothing_to_do(finished: Project) -> None:
    run = finished.run().checked()
    assert not run.rules
    assert "Nothing to be done" in run.output


def test_a_new_clamp_generates_only_its_own_texts(finished: Project) -> None:
    before, kept, old = finished.batches(), finished.states(), finished.table("generations")
    finished.sweep["values"].append(7)
    run = finished.write().run().checked()
    unchanged = {"prompts", "neuron_stats", "neuron_report"}
    assert run.rules == {**dict.fromkeys({*ONCE_PER_SWEEP} - unchanged, 1), "generate": 1}
    rows = new_batches(before, finished.batches())
    assert rows["value"].tolist() == [7] * len(PROMPTS)
    assert set(rows["text_digest"]) == digests(*PROMPTS.values())
    assert kept.items() <= finished.states().items()
    texts = finished.table("generations")
    assert texts[texts["value"].ne(7)].reset_index(drop=True).equals(old)
    assert len(texts) == len(old) + len(PROMPTS)


def _edit_prompt(project: Project) -> str:
    project.prompts["one/rhetorical/1"] = "rain or sun"
    return "rain or sun"


def _add_prompt(project: Project) -> str:
    project.prompts["three/declarative/1"] = "a bird sang"
    return "a bird sang"


@pytest.mark.parametrize("edit", [_edit_prompt, _add_prompt])
def test_a_new_or_edited_prompt_generates_its_baseline_and_clamps(
    finished: Project, edit: Callable[[Project], str]
) -> None:
    before, kept = finished.batches(), finished.states()
    text = edit(finished)
    run = finished.write().run(TEXTS).checked()
    assert run.rules == {"prompts": 1, "generate": 2, "gather": 1}
    rows = new_batches(before, finished.batches())
    assert set(rows["text_digest"]) == digests(text)
    assert sorted(rows["value"].dropna()) == [-5, 0, 5]
    assert sorted(rows["operation"]) == ["none", "set", "set", "set"]
    assert kept.items() <= finished.states().items()
    texts = finished.table("generations")
    assert set(texts["prompt_id"]) == set(finished.prompts)
    assert len(texts) == 4 * len(finished.prompts)


def test_a_new_neuron_generates_only_its_own_texts(finished: Project) -> None:
    before, kept = finished.batches(), finished.states()
    finished.sweep["neurons"].append("L2N7")
    run = finished.write().run(TEXTS).checked()
    assert run.rules == {"generate": 1, "gather": 1}
    rows = new_batches(before, finished.batches())
    assert set(rows["target"]) == {"L2N7"}
    assert len(rows) == len(PROMPTS) * 3
    assert kept.items() <= finished.states().items()
    assert finished.table("generations")["target"].value_counts().to_dict() == {
        "L1N3": 12,
        "L2N7": 12,
    }


def test_a_clamp_removed_and_put_back_generates_nothing(finished: Project) -> None:
    kept, tables = finished.states(), finished.states("results/s/*.parquet")
    finished.sweep["values"].remove(0)
    run = finished.write().run(RATES).checked()
    assert run.rules == {"gather": 1, "text_metrics": 1, "recovery": 1}
    for name, n_rows in {"generations": 12, "text_metrics": 12, "recovery": 32, "rates": 8}.items():
        table = finished.table(name)
        assert len(table) == n_rows, name
        assert 0 not in set(table["value"])
    finished.sweep["values"].insert(1, 0)
    run = finished.write().run(RATES).checked()
    assert run.rules == {"gather": 1, "text_metrics": 1, "recovery": 1}
    assert finished.states() == kept
    again = finished.states("results/s/*.parquet")
    assert {name: state.digest for name, state in again.items()} == {
        name: state.digest for name, state in tables.items()
    }


def test_other_decoding_generates_all_anew_and_prune_removes_what_is_unused(
    finished: Project,
) -> None:
    before, kept, texts = finished.batches(), finished.states(), finished.states(TEXTS)
    finished.sweep["decoding"]["max_new_tokens"] = 5
    run = finished.write().run(TEXTS).checked()
    assert run.rules == {"generate": 2, "gather": 1}
    assert len(new_batches(before, finished.batches())) == len(PROMPTS) * 4
    assert kept.items() <= finished.states().items()
    assert finished.table("generations")["n_new_tokens"].max() == 5

    finished.sweep["decoding"]["max_new_tokens"] = 6
    run = finished.write().run(TEXTS).checked()
    assert run.rules == {"gather": 1}
    assert finished.states(TEXTS)[TEXTS].digest == texts[TEXTS].digest
    assert len(finished.batches()) == 4

    finished.run("prune").checked()
    assert finished.states() == kept
    assert not finished.run("-n", TEXTS).checked().rules


def test_prune_keeps_the_batches_of_every_configured_sweep(finished: Project) -> None:
    kept = finished.states()
    finished.config["sweeps"]["t"] = deepcopy(finished.sweep)
    finished.config["sweeps"]["t"]["decoding"]["max_new_tokens"] = 5
    finished.config["run"] = ["t"]
    finished.write().run("prune").checked()
    assert kept.items() <= finished.states().items()


def test_a_second_sweep_plans_only_what_the_first_has_not_generated(finished: Project) -> None:
    known = finished.states("results/batches/*")
    finished.config["sweeps"]["t"] = {**finished.sweep, "values": [5, 7]}
    finished.config["run"] = ["s", "t"]
    planned = finished.write().run("-n").checked().rules
    assert planned["generate"] == planned["gather"] == planned["prompts"] == 1
    (new,) = finished.states("results/batches/*").keys() - known.keys()
    rows = json.loads(finished.path(new).read_text())["combinations"]
    assert [row["value"] for row in rows] == [7] * len(PROMPTS)


def test_an_exported_sweep_is_imported_with_the_same_flags(finished: Project) -> None:
    exported = finished.path("results/s/extracted.tsv")
    shutil.copy(exported, finished.folder / "old.tsv")
    finished.config["sweeps"]["old"] = {
        "extracted": "old.tsv",
        "neurons": ["L1N3"],
        "operation": "set",
        "scope": "all",
    }
    finished.config["run"] = ["s", "old"]
    run = finished.write().run().checked()
    again = ("import_extracted", "text_metrics", "recovery", "split_half", "bcr_verdicts")
    assert run.rules == dict.fromkeys((*again, "export", "figures", "reports"), 1)
    assert finished.path("results/old/extracted.tsv").read_bytes() == exported.read_bytes()
    flags = [
        finished.table("recovery", sweep)
        .query("detector in ('surface', 'entropy')")
        .sort_values(["detector", "prompt_id", "value"], ignore_index=True)
        .drop(columns=["key"])
        for sweep in ("s", "old")
    ]
    assert len(flags[0]) == 2 * len(PROMPTS) * 3
    assert flags[0].equals(flags[1])
