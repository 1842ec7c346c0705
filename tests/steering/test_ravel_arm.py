"""All methods at a layer of the planted model, fitted on some letters and tried on others."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from clampsweep.studies.steering.ravel_arm import Fit, prompts_of, run_arm
from clampsweep.studies.steering.ravel_pairs import pairs
from clampsweep.studies.steering.ravel_scores import scores
from clampsweep.studies.steering.ravel_trained import Training
from steering.ravel_planted import LAYER

LEARN = Training(steps=60, batch=16, rate=0.1, seed=0)


class _Plain:
    """An autoencoder whose features are the coordinates, twice: above 0 and below."""

    def encode(self, x):
        return torch.cat([x.relu(), (-x).relu()], dim=-1)

    def decode(self, f):
        width = f.shape[-1] // 2
        return f[..., :width] - f[..., width:]


@pytest.fixture(scope="module")
def found(planted, letters, known):
    train = pairs(known, ("A", "B"), "train", 96, 0)
    test = pairs(known, ("A", "B"), "test", 48, 0)
    fit = Fit(4, LEARN, LEARN, 0)
    arm = run_arm(planted, letters, known, train, test, LAYER, fit, _Plain())
    assert arm.flops > 0
    return scores(arm.swaps, 200).set_index(["method", "attribute"])


@pytest.mark.parametrize("method", ["diff_means", "pca_chosen", "neurons", "sae", "das", "dbm"])
def test_methods_that_know_the_attribute_find_it(found, method):
    assert found.loc[(method, "all"), "cause"] > 0.95
    assert found.loc[(method, "all"), "isolate"] > 0.95


def test_those_that_do_not_know_it_stay_at_one_half(found):
    assert found.loc[("full", "all"), ["cause", "isolate"]].tolist() == [1, 0]
    assert found.loc[("mlp_neurons", "all"), ["cause", "isolate", "size"]].tolist() == [0, 1, 0]
    for method in ("random_subspace", "pca"):
        assert found.loc[(method, "all"), "score"] < 0.75
    assert (found["n"] == 16).all()


def test_each_prompt_is_held_once(planted, letters, known):
    own = pairs(known, ("A", "B"), "train", 96, 0, ("same", "other"))
    prompts = prompts_of(planted, letters, pd.concat([own, own]))
    keys = [one.item.key for one in prompts]
    wanted = {*zip(own["base"], own["template"], strict=True),
              *zip(own["source"], own["source_template"], strict=True)}  # fmt: skip
    assert len(keys) == len(set(keys))
    assert set(keys) == wanted
