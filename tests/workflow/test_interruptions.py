"""What is finished stays: faults and deletions cost no more than what they hit."""

from __future__ import annotations

import re

import pytest
from harness import PROMPTS, RATES, TEXTS, Project, State, new_batches


def _digests(states: dict[str, State]) -> dict[str, str]:
    return {name: state.digest for name, state in states.items()}


def test_a_damaged_model_stops_generation_and_costs_nothing_else(finished: Project) -> None:
    kept = finished.states("results/generations/*", "results/vectors/*", "results/s/**/*")
    weights = finished.path("resources/models/tiny/model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    finished.sweep["values"].append(7)
    run = finished.write().run()
    assert run.code != 0
    assert not run.rules
    assert len(run.errors()) == 1
    assert re.match("error: .*model.safetensors: wrong digest .* run", run.errors()[0])
    assert finished.states("results/generations/*", "results/vectors/*", "results/s/**/*") == kept

    before = finished.batches()
    content[-1] ^= 1
    weights.write_bytes(content)
    run = finished.run(TEXTS).checked()
    assert run.rules == {"generate": 1, "gather": 1}
    assert new_batches(before, finished.batches())["value"].tolist() == [7] * len(PROMPTS)
    assert len(finished.table("generations")) == len(PROMPTS) * (1 + 4)


def test_a_prompt_longer_than_the_context_is_named_and_costs_nothing_else(
    finished: Project,
) -> None:
    kept = finished.states("results/generations/*", "results/vectors/*", "results/s/**/*")
    finished.prompts["three/declarative/1"] = "the cat ran on the hill " * 6
    run = finished.write().run(TEXTS)
    assert run.code != 0
    assert "generate" not in run.rules
    assert len(run.errors()) == 1
    assert re.match(r"error: prompt 'the cat ran .*has \d+ tokens; .* at most 63", run.errors()[0])
    batches = finished.states("results/generations/*", "results/vectors/*")
    assert batches.items() <= kept.items()

    del finished.prompts["three/declarative/1"]
    run = finished.write().run(TEXTS).checked()
    assert "generate" not in run.rules
    assert finished.states("results/generations/*", "results/vectors/*").items() <= kept.items()
    assert _digests(finished.states(TEXTS))[TEXTS] == kept[TEXTS].digest


def test_a_truncated_batch_is_named_and_made_again_as_it_was(finished: Project) -> None:
    patterns = ("results/generations/*", "results/vectors/*", "results/s/*.parquet")
    before = finished.states(*patterns)
    batch = _batch_of_clamps(finished)
    name = f"results/generations/{batch}.parquet"
    path = finished.path(name)
    path.write_bytes(path.read_bytes()[:-1000])
    run = finished.run(TEXTS, RATES)
    assert run.code != 0
    assert run.errors() == [f"error: {name}: not a whole Parquet file; delete it and run again"]

    path.unlink()
    run = finished.run(TEXTS, RATES).checked()
    assert run.rules == {"generate": 1, "gather": 1, "text_metrics": 1, "recovery": 1}
    after = finished.states(*patterns)
    assert _digests(after) == _digests(before)
    written = {name for name, state in after.items() if state.written != before[name].written}
    assert {name for name in written if not name.startswith("results/s/")} == {
        name,
        f"results/vectors/{batch}.parquet",
    }


def _batch_of_clamps(project: Project) -> str:
    (name,) = [name for name, rows in project.batches().items() if "set" in set(rows["operation"])]
    return name


@pytest.mark.parametrize("kind", ["generations", "vectors"])
def test_a_deleted_batch_file_is_missed_and_no_other_batch(finished: Project, kind: str) -> None:
    finished.path(f"results/{kind}/{_batch_of_clamps(finished)}.parquet").unlink()
    follow = ("gather", "text_metrics", "recovery", "split_half", "bcr_verdicts", "export")
    last = ("export_vectors", "figures", "reports")
    assert finished.run("-n").rules == dict.fromkeys(("generate", *follow, *last), 1)


def test_a_deleted_table_comes_back_and_only_what_follows_from_it_is_made_again(
    finished: Project,
) -> None:
    everything = ("results/s/**/*", "results/generations/*", "results/vectors/*")
    before = finished.states(*everything)
    finished.path("results/s/recovery.parquet").unlink()
    run = finished.run().checked()
    follow = ("recovery", "split_half", "bcr_verdicts", "export", "figures", "reports")
    assert run.rules == dict.fromkeys(follow, 1)
    after = finished.states(*everything)
    assert after.keys() == before.keys()
    written = {name for name, state in after.items() if state.written != before[name].written}
    assert {name for name in written if name.endswith(".parquet")} == {
        "results/s/recovery.parquet",
        "results/s/rates.parquet",
        "results/s/split_half.parquet",
        "results/s/verdicts.parquet",
        "results/s/ledger.parquet",
    }
    drawn = {name for name in after if "/figures/" in name}
    assert _digests({name: after[name] for name in after.keys() - drawn}) == _digests(
        {name: before[name] for name in before.keys() - drawn}
    )
