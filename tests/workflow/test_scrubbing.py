"""Causal scrubbing through the real Snakefile: the shipped model, and a published one's files."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
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
from scrubbing.published_folders import redwood

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
    return read_view(
        {**examples, **own, "hypotheses": project.path(f"results/{entry}/hypotheses.json")}
    )


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
        for t, (x, y) in enumerate(pairwise(ids)):
            ended = (x, y) in pairwise(ids[: t + 1])
            for name, holds in {
                "OVERALL": True,
                "CANDIDATES": x in CANDIDATES,
                "REPEATS": y in ids[: t + 1],
                "UNCOMMON REPEATS": y in ids[: t + 1] and y not in common,
                "CANDIDATE ERB": x in CANDIDATES and ended,
            }.items():
                found.setdefault(name, []).append(holds)
    return {name: np.reshape(flags, (len(tokens), -1)) for name, flags in found.items()}


@torch.inference_mode()
def hugging_face(tokens: torch.Tensor, draws: torch.Tensor, heads: list[int]) -> np.ndarray:
    """Losses of examples whose heads of layer 1 give what they give on other examples."""
    model = AutoModelForCausalLM.from_pretrained(REPO / MODEL, dtype=torch.float32).eval()
    dense = model.gpt_neox.layers[1].attention.dense
    mixed: list[torch.Tensor] = []  # what goes into it: [example, pos, head and d_head]
    hook = dense.register_forward_pre_hook(lambda _, args: mixed.append(args[0]))
    model(draws[:, :-1])
    hook.remove()

    def patch(_: Any, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        own = args[0].clone()
        for head in heads:
            own[..., 32 * head : 32 * (head + 1)] = mixed[0][..., 32 * head : 32 * (head + 1)]
        return (own,)

    dense.register_forward_pre_hook(patch)
    logits = model(tokens[:, :-1]).logits
    return functional.cross_entropy(logits.mT, tokens[:, 1:], reduction="none").numpy()


def test_each_rule_runs_once_for_each_entry_and_every_kept_file_is_there_and_is_read(
    ran: tuple[Project, Run],
) -> None:
    project, run = ran
    each = {f"scrubbing_{name}": 2 for name in OF_EACH}
    assert run.rules == {**each, "scrubbing_training": 1, "fetch_model": 1, "gather_shards": 6}
    for entry, undrawn in (("m", set()), ("p", {"training"})):
        figures = {name: what for name, what in FIGURES.items() if name not in undrawn}
        for name in (*KEPT, *figure_files(figures)):
            assert project.path(f"results/{entry}/{name}").stat().st_size > 100, name
        folder, found = project.path(f"results/{entry}"), view(project, entry)
        assert len(list((folder / "figures").iterdir())) == 2 * len(figures)
        summary = (folder / "summary.md").read_text()
        for name in found.table["experiment"].unique():
            assert (f"| `{name}` |" in summary) == ("-random-" not in name)
        claims = found.concluded.verdicts["claim"].value_counts()
        n_claims = {"m": (4, 1), "p": (2, 0)}[entry]  # hypotheses but the baseline, with controls
        assert claims["recovers most"] == 9 * n_claims[0] and claims["heads differ"] == 9
        assert claims.get("beats random", 0) == 9 * n_claims[1]
    assert view(project, "m").resolved["roles"]["prev"] == [0]
    assert set(view(project, "m").induction) == {1, 2, 3, 4, 5}
    assert not project.run("-n").checked().rules


def test_losses_are_hugging_faces_with_heads_taken_from_the_examples_that_are_written_out(
    ran: tuple[Project, Run],
) -> None:
    project, _ = ran
    found, scored = losses(project, "m"), view(project, "m")
    rows = tables.read(REPO / EXAMPLES_FILE, EXAMPLES)["tokens"].tolist()
    tokens = np.array([one[: LENGTH + 1] for one in rows[:N]], dtype=np.int64)
    assert np.array_equal(tokens, np.array(scored.examples["tokens"].tolist()))
    ids, best = torch.from_numpy(tokens), scored.induction
    scrubbed = {"unscrubbed": [], "baseline": best, "scrub-1": best[:1], "scrub-2": best[1:2]}
    for name, heads in scrubbed.items():
        drawn = [one[0] if len(one) else 0 for one in found[name]["draws"]]
        assert not heads or all(own != other for own, other in enumerate(drawn))
        wanted = hugging_face(ids, ids[drawn], heads)
        assert np.abs(stacked(found[name]) - wanted).max() < 5e-5


def test_the_table_is_of_all_positions_scrubbed_directly(ran: tuple[Project, Run]) -> None:
    project, _ = ran
    found, scored = losses(project, "m"), view(project, "m")
    tokens = np.array(scored.examples["tokens"].tolist(), dtype=np.int64)
    plain = AutoModelForCausalLM.from_pretrained(REPO / MODEL, dtype=torch.float32)
    roles = Roles(8, scored.resolved["roles"], {})
    listed = experiments(parse({"hypotheses": OURS}, "ours.yaml").hypotheses, roles)
    blocks = np.stack([one.nll for one in scrub(from_model(plain), tokens, listed, range(N), 0)])
    nll = {one.name: blocks[:, row] for row, one in enumerate(listed)}
    assert nll.keys() == found.keys() and len(nll) == 9
    for name, values in nll.items():
        assert np.allclose(stacked(found[name]), values, atol=1e-5), name
    rows = scored.table.set_index(["experiment", "category"])
    for category, chosen in positions(tokens).items():
        means = {name: float(values[chosen].astype(float).mean()) for name, values in nll.items()}
        span = means["baseline"] - means["unscrubbed"]
        for name, values in nll.items():
            row, share = rows.loc[(name, category)], (means["baseline"] - means[name]) / span
            assert row["count"] == chosen.sum() > 10
            assert row["mean"] == pytest.approx(means[name], abs=1e-5)
            assert row["variance"] == pytest.approx(values[chosen].var(ddof=1), rel=1e-4)
            assert row["loss_recovered"] == pytest.approx(share, abs=1e-4)
            assert row["ci_low"] <= row["loss_recovered"] <= row["ci_high"]


def test_a_published_models_losses_are_those_of_a_plain_forward_pass(
    ran: tuple[Project, Run],
) -> None:
    project, _ = ran
    found, weights = losses(project, "p"), read_published(project.path("redwood"))
    tokens = torch.load(project.path(PUBLISHED["examples"]["file"]))[:6, :17]
    for ids, nll in zip(tokens, stacked(found["unscrubbed"]), strict=True):
        logits = torch.from_numpy(attention_only.logits(weights, ids[:-1].tolist()))
        assert np.allclose(
            functional.cross_entropy(logits, ids[1:].long(), reduction="none"), nll, atol=1e-5
        )
    shown = view(project, "p")
    assert shown.texts == [f"<{token}>" for token in range(20)]  # it has no vocabulary beside it
    assert shown.induction == [0, 1]  # no head is an induction head: all are looked at
    overall = shown.table[shown.table["category"] == "OVERALL"].set_index("experiment")["mean"]
    assert overall.to_dict() == pytest.approx(
        {name: float(stacked(rows).astype(float).mean()) for name, rows in found.items()}
    )


def test_another_hypothesis_is_scrubbed_alone_and_a_lost_shard_is_made_again(done: Project) -> None:
    before = done.states("results/shards/*/*")
    lost = largest(done, "cells")
    done.path(lost).unlink()
    more = {"name": "eq", "heads": "induction", "groups": [{"q": "L0"}]}
    write(done, "ours.yaml", [OURS[0], more, *OURS[1:]])
    run = done.run("results/m/table.parquet").checked()
    assert run.rules == {
        "scrubbing_losses": 1,
        "scrubbing_cells": 1,
        "scrubbing_hypotheses": 1,
        "scrubbing_table": 1,
    }
    after = done.states("results/shards/*/*")
    assert after[lost].digest == before.pop(lost).digest
    assert before.items() <= after.items()
    (new,) = [
        json.loads(done.path(name).read_text())
        for name in after.keys() - before.keys()
        if name.endswith(".json")
    ]
    assert [item["content"]["hypothesis"] for item in new["items"]] == [
        {key: more[key] for key in ("heads", "groups")}
    ]
    assert len(view(done, "m").table) == 9 * 10


def test_damaged_files_and_a_role_that_no_head_has_are_each_named_in_a_line(done: Project) -> None:
    shard = largest(done, "losses")
    cut(done, shard)
    scrubbing = done.config["scrubbing"]
    (done.folder / "cut.parquet").write_bytes(done.path(EXAMPLES_FILE).read_bytes())
    cut(done, "cut.parquet")
    scrubbing["cut"] = {**ENTRY, "examples": {**ENTRY["examples"], "file": "cut.parquet"}}
    shutil.copytree(done.path(MODEL), done.folder / "broken")
    cut(done, "broken/model.safetensors")
    done.config["models"]["broken"] = {**SPEC, "path": "broken"}
    scrubbing["broken"] = {**ENTRY, "model": "broken"}
    scrubbing["roles"] = {**ENTRY, "hypotheses": "roles.yaml"}
    more = {"name": "f", "heads": "induction", "groups": [{"k": "first"}]}
    write(done, "roles.yaml", [*OURS, more])
    done.config["run"] = ["m", "cut", "broken", "roles"]
    targets = ("results/m/table.parquet", "results/cut/heads.parquet",
               "results/broken/heads.parquet", "results/roles/hypotheses.json")  # fmt: skip
    run = done.write().run("--keep-going", *targets)
    assert run.code != 0 and not run.rules, "examples and heads are those of `m`, and serve all"
    assert sorted(run.errors()) == [
        "error: cut.parquet: not a whole Parquet file; delete it and run again",
        "error: models.broken: model.safetensors is not a whole safetensors file (Error while "
        "deserializing header: incomplete metadata, file not fully covered); get it again",
        f"error: {shard}: not a whole Parquet file; delete it and run again",
        "error: roles.yaml: hypotheses[4] (f).groups[0].k: no head is 'first': head 0.2 has the "
        "highest score, 0.007, and the threshold is 0.5; lower it, or name heads in quotes",
    ]
    write(done, "roles.yaml", [*OURS, {**more, "groups": [{"k": "frist"}]}])
    (said,) = done.run("-n").errors()
    assert "roles.yaml: hypotheses[4] (f).groups[0].k: got 'frist'; write " in said
    write(done, "roles.yaml", [*OURS, {**more, "groups": [{"k": "E"}], "sampler": "fixed(24)"}])
    (said,) = done.run("-n").errors()
    assert (
        "roles.yaml: hypotheses[4] (f).sampler: got fixed(24); there are examples 0 to 23" in said
    )


def largest(project: Project, work: str) -> str:
    """The shard of the entry `m`: its model is the larger one."""
    names = project.states(f"results/shards/scrubbing_{work}/*.parquet")
    return max(names, key=lambda name: project.path(name).stat().st_size)


def cut(project: Project, name: str) -> None:
    """Leave the first half of a file."""
    data = project.path(name).read_bytes()
    project.path(name).write_bytes(data[: len(data) // 2])
