from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoConfig, GPTNeoXForCausalLM

from clampsweep.studies.scrubbing.head_scores import head_scores, repeated
from clampsweep.studies.scrubbing.planted import BOS, planted
from clampsweep.studies.scrubbing.roles import SCORES
from scrubbing.models import D_VOCAB, N_HEADS, neox, weights

PERIOD, N = 9, 3


def test_sequences_are_bos_and_the_same_tokens_twice_without_bos():
    found = repeated(5, bos=2, period=400, n_sequences=3, seed=0)
    assert (found[:, 0] == 2).all()
    assert (found[:, 1:401] == found[:, 401:]).all()
    assert set(np.unique(found[:, 1:])) == {0, 1, 3, 4}
    assert (found[0] != found[1]).any()


def test_scores_are_means_over_hugging_faces_patterns():
    model = GPTNeoXForCausalLM(AutoConfig.for_model(**neox().config.to_dict()))
    model.load_state_dict(neox().state_dict())
    model = model.double().eval()
    model.set_attn_implementation("eager")  # the one that gives patterns
    ids = repeated(D_VOCAB, 0, PERIOD, N, seed=4)
    with torch.inference_mode():
        attentions = model(torch.from_numpy(ids), output_attentions=True).attentions
    found = head_scores(weights(), 0, PERIOD, N, seed=4)
    for layer, head in np.ndindex(2, N_HEADS):
        looks: dict[str, list[float]] = {name: [] for name in SCORES}
        for pattern in attentions[layer][:, head].tolist():
            for t in range(1, 2 * PERIOD + 1):
                looks["previous"].append(pattern[t][t - 1])
                looks["self"].append(pattern[t][t])
                looks["first"].append(pattern[t][0])
                if t > PERIOD:
                    looks["duplicate"].append(pattern[t][t - PERIOD])
                    looks["induction"].append(pattern[t][t - PERIOD + 1])
        means = [np.mean(looks[name]) for name in SCORES]
        assert found[layer, head] == pytest.approx(means, abs=1e-6)  # eager softmax is in float32


def test_the_planted_heads_have_their_scores_and_the_context_bounds_the_period():
    model = planted()
    found = head_scores(model.weights, BOS)  # 149 tokens twice are more than it holds
    assert found[0, 0, SCORES.index("previous")] > 0.99
    assert found[0, 1, SCORES.index("self")] > 0.99
    assert found[1, 0, SCORES.index("induction")] > 0.3  # tokens are repeated by chance, too
    assert found[1, 1].max() < 0.3
