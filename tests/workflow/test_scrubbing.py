"""Causal scrubbing through the real Snakefile: the shipped model, and a published one's files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from harness import REPO, Project, Run
from torch.nn import functional
from transformers import AutoModelForCausalLM

import attention_only
from clampsweep import tables
from clampsweep.config.contract import figure_files
from clampsweep.shards.shard import KEY, of_shard
from clampsweep.studies.scrubbing.figures.index import FIGURES
from clampsweep.studies.scrubbing.published import read_published
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.roles import Roles
from clampsweep.studies.scrubbing.scrub import scrub
from clampsweep.studies.scrubbing.study import KEPT
from clampsweep.studies.scrubbing.tables import EXAMPLES, LOSSES
from clampsweep.studies.scrubbing.variants import experiments
from clampsweep.studies.scrubbing.view import View, read_view
from clampsweep.studies.scrubbing.weights import from_model
from clampsweep.texts.pinned import read_plan
from scrubbing.authors_files import redwood

MODEL = "workflow/data/scrubbing/model"
EXAMPLES_FILE = "workflow/data/scrubbing/examples.parquet"
N, LENGTH = 24, 60
CANDIDATES = range(300, 900)
WHOLE = {"q": "all", "k": "all", "v": "all"}
NAIVE = {"q": "L0", "k": ["E", "L0-prev1"], "v": "L0"}
OURS = [
    {"name": "baseline", "heads": "induction", "groups": [WHOLE]},
    {"name": "naive", "heads": "induction", "groups": [NAIVE], "decoherent": True, "controls": 3},
    {"name": "scrub-1", "heads": "induction1", "groups": [WHOLE]},
    {"name": "scrub-2", "heads": "induction2", "groups": [WHOLE]},
]
THEIRS = [
    {"name": "baseline", "heads": "L1", "groups": [WHOLE]},
    {"name": "scrub-1", "heads": "1.0", "groups": [WHOLE]},
    {"name": "scrub-2", "heads": "1.1", "groups": [WHOLE]},
]
ENTRY: dict[str, Any] = {
    "model": "attn2l",
    "hypotheses": "ours.yaml",
    "examples": {"file": EXAMPLES_FILE, "number": N, "length": LENGTH},
    "candidates": "candidates.txt",
    "cells": 4,
    "attribution": {"examples": 2, "draws": 2},
    "attention": {"examples": 2, "draws": 2, "tokens": 20, "pairs": [["unscrubbed", "naive"]]},
}
PUBLISHED: dict[str, Any] = {
    "published": "redwood",
    "hypotheses": "theirs.yaml",
    "examples": {"file": "redwood/validation_data.pt", "number": 6, "length": 16},
    "candidates": "redwood/good_induction_candidates.pt",
    "cells": 2,
    "attribution": {"examples": 1, "draws": 2},
    "attention": {"examples": 1, "draws": 2, "tokens": 8, "pairs": [["unscrubbed", "scrub-1"]]},
}
SPEC = {"source": "path", "path": MODEL, "licence": "MIT", "n_layers": 2, "d_mlp": 0,
        "dtype": "float32", "prepend_bos": True, "weight_processing": "none"}  # fmt: skip
OF_EACH = ("data", "hypotheses", "losses", "cells", "saa", "attention", "totals", "table",
           "figures", "report")  # fmt: skip


def write(project: Project, file: str, listed: list[dict[str, Any]]) -> None:
    content = {"hypotheses": listed, "curve": ["baseline", "unscrubbed"]}
    (project.folder / file).write_text(yaml.safe_dump(content))


@pytest.fixture(scope="module")
def ran(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run]:
    """A project after a run of the entries `m` and `p`, and the run; for looking and copying."""
    project = untouched.copy(tmp_path_factory.mktemp("scrubbing") / "project")
    write(project, "ours.yaml", OURS)
    write(project, "theirs.yaml", THEIRS)
    (project.folder / "candidates.txt").write_text("\n".join(map(str, CANDIDATES)))
    redwood(project.folder / "redwood")
    rows = torch.randint(1, 20, (8, 25), generator=torch.Generator().manual_seed(0))
    torch.save(rows, project.folder / PUBLISHED["examples"]["file"])
    torch.save(torch.arange(20) % 2 == 0, project.folder / PUBLISHED["candidates"])
    project.config["models"]["attn2l"] = SPEC
    project.config |= {"scrubbing": {"m": ENTRY, "p": PUBLISHED}, "run": ["m", "p"]}
    return project, project.write().run().checked()


@pytest.fixture
def done(ran: tuple[Project, Run], tmp_path: Path) -> Project:
    """A copy of it."""
    return ran[0].copy(tmp_path / "project")


def view(project: Project, entry: str) -> View:
    """All tables of an entry, read as its figures read them."""
    number = project.config["scrubbing"][entry]["examples"]["number"]
    folders = [path.parent for path in project.folder.glob("resources/scrubbing/*/heads.parquet")]
    (data,) = [
        one for one in folders if len(tables.read(one / "examples.parquet", EXAMPLES)) == number
    ]
    own = {path.stem: path for path in project.path(f"results/{entry}").glob("*.parquet")}
    examples = {name: data / f"{name}.parquet" for name in ("examples", "tokens")}
    return read_view({**examples, **own, "hypotheses": project.path(f"results/{entry}/hypotheses.json")})


def losses(project: Project, entry: str) -> dict[str, pd.DataFrame]:
    """Rows of each experiment's losses by its name: `draws`, `nll`, in the order of examples."""
    (plan,) = project.folder.glob(f"results/plans/{entry}.losses-*.json")
    names = {key: name.rpartition("/")[0] for name, key in read_plan(plan)}
    shards = project.folder.glob("results/shards/scrubbing_losses/*.parquet")
    rows = pd.concat([tables.read(one, of_shard(LOSSES)) for one in shards])
    return {
        names[str(key)]: own.sort_values("example")
        for key, own in rows.groupby(KEY)
        if key in names
    }


def stacked(rows: pd.DataFrame) -> np.ndarray:
    return np.array(rows["nll"].tolist())


def positions(tokens: np.ndarray) -> Mapping[str, np.ndarray]:
    """Whether each position of all examples is in some of the categories, one after the other."""
    counts = Counter(tokens.ravel().tolist())
    common = sorted(counts, key=lambda token: (-counts[token], token))[:200]
    found: dict[str, list[bool]] = {}
    for ids in tokens.tolist():
        for t, (x, y) in enumerate(zip(ids, ids[1:], strict=False)):
            ended = (x, y) in zip(ids[:t], ids[1 : t + 1], strict=True)
            for name, holds in {
                "OVERALL": True,
                "CANDIDATES": x in CANDIDATES,
                "REPEATS": y in ids[: t + 1],
                "UNCOMMON REPEATS": y in ids[: t + 1] and y not in common,
                "CANDIDATE ERB": x in CANDIDATES and ended,
            }.items():
                found.setdefault(name, []).append(holds)
    return {name: np.reshape(flags, (len(tokens), -1)) for name, flags in found.items()}


def test_each_rule_runs_once_for_each_entry_and_every_kept_file_is_there(
    ran: tuple[Project, Run],
) -> None:
    project, run = ran
    own = {f"scrubbing_{name}": 2 for name in OF_EACH}
    assert run.rules == {**own, "scrubbing_training": 1, "fetch_model": 1, "gather_shards": 6}
    for entry, figures in (("m", FIGURES), ("p", {**FIGURES, "training": None})):
        drawn = {name: what for name, what in figures.items() if what}
        for name in (*KEPT, *figure_files(drawn)):
            assert project.path(f"results/{entry}/{name}").stat().st_size > 100, name
            assert f"results/{entry}/{name}" in project.path(f"results/{entry}/summary.md").read_text()
    assert not project.run("-n").checked().rules
