"""Backtracking neurons through the real Snakefile, on a tiny model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from harness import Project, Run

from clampsweep import ledger
from tiny import make_tiny, random_model

DATA = "workflow/data/backtracking"
SAMPLE = {"method": "sample", "max_new_tokens": 12, "temperature": 1.0}
ENTRY: dict[str, Any] = {
    "model": "wide",
    "rules": f"{DATA}/rules.yaml",
    "sentences": f"{DATA}/sentences.tsv",
    "chains": {
        "plain": {
            "promptset": "problems",
            "prompt_format": "raw",
            "decoding": SAMPLE,
            "seeds": [0],
            "problems": 4,
        }
    },
    "written": {"file": f"{DATA}/written.yaml", "per_split": 2},
    "ranking": {"permutations": 19, "minimum_events": 2, "minimum_problems": 2, "top": 3},
    "causal": {"sizes": [1, 3], "random_sets": 19, "samples": 2},
    "pairs": {
        "chain": "plain",
        "neurons": "gross",
        "problems": 2,
        "seeds": [0, 1],
        "random_sets": 1,
    },
}
PROBLEMS = {
    "path": "problems.jsonl",
    "format": "jsonl",
    "template": "{text} Step by step:",
}


@pytest.fixture(scope="module")
def ran(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run]:
    """A project after a run of the entry `b`, and the run; for looking and copying."""
    project = untouched.copy(tmp_path_factory.mktemp("backtracking") / "project")
    shipped = Path(__file__).parents[2] / "promptsets/backtracking/problems.jsonl"
    shutil.copy(shipped, project.folder / "problems.jsonl")
    # Traces are longer than the tiny model's context.
    make_tiny(project.folder / "wide", "llama", model=random_model("llama", 0, n_ctx=4096))
    project.config["models"]["wide"] = {**project.config["models"]["tiny"], "path": "wide"}
    project.config["promptsets"]["problems"] = PROBLEMS
    project.config |= {"backtracking": {"b": ENTRY}, "run": ["b"]}
    return project, project.write().run().checked()


def table(project: Project, name: str) -> pd.DataFrame:
    return pd.read_parquet(project.path(f"results/b/{name}.parquet"))


def test_one_run_concludes_on_every_contrast_and_says_where_there_are_too_few_events(ran):
    project, _ = ran
    found = ledger.read(
        project.path("results/b/verdicts.parquet"), project.path("results/b/ledger.parquet")
    )
    asked = found.verdicts[found.verdicts["claim"] == "neurons tell events from controls"]
    assert set(asked["subject"]) == {"plain", "off_by_ten", "gross", "verbal"}
    plain = asked[asked["subject"] == "plain"]
    assert set(plain["verdict"]) == {"untestable"}
    assert all("insufficient events" in reason for reason in plain["reason"])
    assert asked[asked["subject"] == "gross"]["estimate"].notna().all()
    assert "insufficient events" in project.path("results/b/summary.md").read_text()


def test_every_neuron_is_ranked_at_every_position_kind(ran):
    project, _ = ran
    neurons = table(project, "gross/neurons")
    assert len(neurons) == 4 * 3 * 40
    assert table(project, "plain/neurons").empty
    for _, own in neurons.groupby("position_kind"):
        assert sorted(own["rank"]) == list(range(1, 121))


def test_the_sets_named_are_held_at_zero_in_pairs(ran):
    project, _ = ran
    texts = table(project, "paired_texts")
    assert texts.groupby(["condition", "draw"]).size().to_dict() == {
        ("before", 0): 4,
        ("random", 0): 4,
        ("top", 0): 4,
    }


def test_nothing_is_stale_after_a_run(ran):
    project, _ = ran
    assert not project.run("-n").checked().rules


def test_more_problems_of_a_chain_make_only_their_own_texts(ran, tmp_path: Path):
    project = ran[0].copy(tmp_path / "project")
    batches = set(project.path("results/generations").glob("*.parquet"))
    chain = {**ENTRY["chains"]["plain"], "problems": 5}
    entry = {**ENTRY, "chains": {"plain": chain}}
    project.config["backtracking"] = {"b": entry}
    planned = project.write().run("-n").checked().rules
    assert planned["generate"] == 1
    assert not planned["backtracking_written"]
    assert batches <= set(project.path("results/generations").glob("*.parquet"))
