"""Universal neurons through the real Snakefile, on tiny models of two seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from harness import Project, Run

from clampsweep import ledger
from clampsweep.studies.universal.slices import ALWAYS
from tiny import make_tiny

TEXTS = "workflow/data/universal/texts"
ABOUT = {"source": "shipped", "licence": "see there", "language": "en"}
ENTRY: dict[str, Any] = {
    "model": "tiny",
    "texts": {
        "domains": {
            "prose": {"file": f"{TEXTS}/prose.jsonl.gz", **ABOUT},
            "code": {"file": f"{TEXTS}/code.jsonl.gz", **ABOUT},
        },
        "sequences": 12,
        "context": 32,
        "skip": 2,
        "blocks": 4,
    },
    "pairs": [["code", "prose"]],
    "features": {"minimum": 10, "shifts": 19, "null_shifts": 1, "planted": 3},
    "roles": {"candidates": 2, "controls": 5, "stride": 8, "values": [-1, 0, 1]},
    "agreement": {"others": ["sister"], "cut": 0.1, "shifts": 19},
    "reference": "neurons.csv",
}


@pytest.fixture(scope="module")
def ran(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run]:
    """A project after a run of the entry `u`, and the run; for looking and copying."""
    project = untouched.copy(tmp_path_factory.mktemp("universal") / "project")
    make_tiny(project.folder / "sister", "gpt2", seed=1)
    project.config["models"]["sister"] = {**project.config["models"]["tiny"], "path": "sister"}
    (project.folder / "neurons.csv").write_text("layer,neuron,in_out_sim\n0,1,0.9\n2,39,0.9\n")
    project.config |= {"universal": {"u": ENTRY}, "run": ["u"]}
    return project, project.write().run().checked()


def kept(project: Project) -> list[Path]:
    return sorted(path for path in project.path("results/u").rglob("*") if path.is_file())


def test_one_run_concludes_on_every_slice(ran):
    project, _ = ran
    found = ledger.read(
        project.path("results/u/verdicts.parquet"), project.path("results/u/ledger.parquet")
    )
    parts = {path.parent.name for path in kept(project) if path.name == "section.md"}
    assert parts == {*ALWAYS, "features", "roles", "reference"}
    assert set(found.verdicts["study"]) == {"universal"}
    said = json.loads(project.path("results/u/un_summary.json").read_text())
    assert len(said["claims"]) == len(found.verdicts)
    assert set(said["Checklist"].values()) <= {"PASS", "FAIL", "INCONCLUSIVE", "UNTESTABLE"}
    text = project.path("results/u/summary.md").read_text()
    for path in kept(project):
        if path.name == "section.md":
            assert path.read_text().strip() in text


def test_nothing_is_stale_after_a_run(ran):
    project, _ = ran
    assert not project.run("-n").checked().rules


def test_a_neuron_is_in_every_table_of_neurons(ran):
    project, _ = ran
    n = 3 * 40
    for name, times in (("un_weights", 2), ("un_vocab", 2), ("un_values", 1), ("un_stats", 4)):
        frame = pd.read_parquet(project.path(f"results/u/{name}.parquet"))
        assert len(frame) == times * n, name
        assert not frame.duplicated(["layer", "neuron", *({"processing", "domain", "var"}
                                     & set(frame.columns))]).any()  # fmt: skip


def test_other_blocks_are_made_and_no_block_again(ran, tmp_path):
    project = ran[0].copy(tmp_path / "project")
    texts = project.config["universal"]["u"]["texts"]
    shards = set(project.path("results/shards/universal_moments").glob("*.parquet"))
    texts["domains"] = dict(texts["domains"]) | {
        "news": {"file": f"{TEXTS}/news.jsonl.gz", **ABOUT}
    }
    planned = project.write().run("-n").checked().rules
    assert planned["universal_tokens"] == 1
    assert not planned["universal_weights_table"]
    assert shards <= set(project.path("results/shards/universal_moments").glob("*.parquet"))
