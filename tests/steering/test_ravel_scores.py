"""Scores by hand, their interval by brute force, and swaps of what is planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from clampsweep import tables
from clampsweep.names import MLP_POST
from clampsweep.studies.steering.ravel_arm import prompts_of
from clampsweep.studies.steering.ravel_methods import Method, coordinates, full, random_subspace
from clampsweep.studies.steering.ravel_pairs import pairs
from clampsweep.studies.steering.ravel_runs import Held
from clampsweep.studies.steering.ravel_scores import (
    RAVEL_SCORES,
    RAVEL_SWAPS,
    mixed,
    scores,
    swap_rows,
    writes_plainly,
)
from steering.ravel_planted import D_MODEL, LAYER

# target, aim, asked, base, hit
ROWS = [
    ("A", "cause", "A", "x", 1), ("A", "cause", "A", "y", 0),
    ("A", "cause", "A", "z", 1), ("A", "cause", "A", "z", 1),
    ("A", "isolate", "B", "x", 1), ("A", "isolate", "B", "y", 0), ("A", "isolate", "B", "y", 0),
    ("A", "isolate", "C", "z", 1), ("A", "isolate", "C", "x", 1),
    ("B", "cause", "B", "x", 0), ("B", "cause", "B", "y", 1),
    ("B", "isolate", "A", "z", 0), ("B", "isolate", "C", "z", 1),
]  # fmt: skip


def _swaps(rows=ROWS, method="some"):
    own = pd.DataFrame(rows, columns=["target", "aim", "asked", "base", "hit"])
    return own.assign(
        kind="k", layer=3, method=method, pair=range(len(own)), said=0, lp_base=0.0, lp_source=0.0,
        size=2, hit=own["hit"].astype(bool),
    )  # fmt: skip


def test_scores_by_hand(tmp_path):
    found = scores(_swaps(), 200)
    tables.write(found, tmp_path / "scores.parquet", RAVEL_SCORES, {})
    found = found.set_index("attribute")
    # A: 3 of 4; of B 1 of 3 stay, of C 2 of 2. B: 1 of 2; of A 0 of 1, of C 1 of 1.
    assert found.loc["A", ["cause", "isolate"]].tolist() == pytest.approx([3 / 4, (1 / 3 + 1) / 2])
    assert found.loc["A", "score"] == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert found.loc["B", ["cause", "isolate", "score"]].tolist() == pytest.approx([0.5, 0.5, 0.5])
    assert found.loc["all", "cause"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found.loc["all", "score"] == pytest.approx(((3 / 4 + 2 / 3) / 2 + 0.5) / 2)
    assert found["n"].to_dict() == {"A": 3, "B": 3, "all": 3}
    assert found["n_pairs"].to_dict() == {"A": 9, "B": 4, "all": 13}


def _share(rows):
    return np.mean([row[-1] for row in rows]) if rows else np.nan


def test_the_interval_is_over_base_entities():
    rng = np.random.default_rng(4)
    names = [f"e{at}" for at in range(9)]
    rows = [
        ("A", aim, asked, names[at % 9], int(rng.random() < (0.9 if at % 3 else 0.2)))
        for at in range(90)
        for aim, asked in (("cause", "A"), ("isolate", "B"), ("isolate", "C"))
    ]
    found = scores(_swaps(rows), 500, seed=7).iloc[0]
    drawn = np.random.default_rng(7).multinomial(9, np.full(9, 1 / 9), 500)
    values = []
    for counts in drawn:
        some = [row for row in rows for _ in range(counts[names.index(row[3])])]
        parts = {asked: _share([row for row in some if row[2] == asked]) for asked in "ABC"}
        values.append((parts["A"] + (parts["B"] + parts["C"]) / 2) / 2)
    assert [found["low"], found["high"]] == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_methods_are_scored_apart():
    both = pd.concat([_swaps(), _swaps([(*row[:4], 1) for row in ROWS], "sure")])
    found = scores(both, 100).set_index(["method", "attribute"])
    assert found.loc["sure", "score"].tolist() == [1, 1, 1]
    assert found.loc["sure", "low"].tolist() == [1, 1, 1]
    assert found.loc["some", "score"].tolist() == pytest.approx(
        scores(_swaps(), 100)["score"].tolist()
    )


@pytest.fixture(scope="module")
def tried(planted, letters, known):
    own = pairs(known, ("A", "B"), "test", 48, 1, ("same", "other"))
    prompts = prompts_of(planted, letters, own)
    held = Held(planted, LAYER, prompts)
    number_of = {one.item.key: number for number, one in enumerate(prompts)}
    planted_at = {"A": coordinates(np.arange(4)), "B": coordinates(np.arange(4, 8))}
    methods = {
        name: [full(), Method("planted", 4, planted_at[name]), random_subspace(D_MODEL, 4, 0),
               Method("other", 4, planted_at["AB"[name == "A"]])]
        for name in "AB"
    }  # fmt: skip
    return swap_rows(held, number_of, own, methods)


def test_what_is_planted_causes_and_isolates_and_a_random_subspace_does_not(tried, tmp_path):
    tables.write(tried, tmp_path / "swaps.parquet", RAVEL_SWAPS, {})
    found = scores(tried, 100).set_index(["method", "attribute"])
    for attribute in ("A", "B", "all"):
        of = found.xs(attribute, level="attribute")
        assert of.loc["planted", ["cause", "isolate", "score", "low"]].tolist() == [1, 1, 1, 1]
        assert of.loc["full", ["cause", "isolate"]].tolist() == [1, 0]
        assert of.loc["other", ["cause", "isolate"]].tolist() == [0, 0]
        assert of.loc["random_subspace", "cause"] < 0.2
        assert of.loc["random_subspace", "score"] < 0.7


def test_log_probabilities_go_with_what_is_said(tried):
    hit = tried[(tried["method"] == "planted") & (tried["aim"] == "cause")]
    assert (hit["lp_source"] > hit["lp_base"]).all()
    assert (hit["lp_source"] > np.log(0.5)).all()


def test_what_neurons_change_goes_through_their_projection(model):
    from clampsweep.studies.steering.ravel_data import Item, Template
    from clampsweep.studies.steering.ravel_prompts import asked

    items = [Item(one, "train", Template("%s is", "", "train"), ()) for one in ("glass", "a bird")]
    prompts = asked(model, items)
    held = Held(model, 1, prompts)
    some = np.array([0, 3, 17])
    got = mixed(held, [0], [1], Method("mlp_neurons", 3, coordinates(some), MLP_POST))
    post = held.vectors[MLP_POST]
    seen = []

    def change(module, args):
        changed = args[0].clone()
        changed.view(-1, changed.shape[-1])[prompts[0].at, some] = post[1, some]
        return (changed,)

    def look(module, args, output):
        seen.append(output if isinstance(output, torch.Tensor) else output[0])

    out, block = model.outs[1], model.part("blocks.1")
    with torch.no_grad(), out.register_forward_pre_hook(change), block.register_forward_hook(look):
        model.plain(torch.tensor([prompts[0].ids]), use_cache=False)
    assert torch.allclose(got[0], seen[0].view(-1, model.d_model)[prompts[0].at], atol=1e-9)
    assert writes_plainly(model, 1)


def test_where_a_norm_follows_the_projection_neurons_are_no_place_to_swap(llama):
    def norm(module, args, output):
        return output / output.norm(dim=-1, keepdim=True)

    with llama.plain.model.layers[1].mlp.register_forward_hook(norm):
        assert not writes_plainly(llama, 1)
    assert writes_plainly(llama, 1)
