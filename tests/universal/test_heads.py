"""Heads: circuits against whole products, patterns against Hugging Face's own, verdicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from clampsweep.studies.universal.claims.heads import (
    FORETELLS,
    HEAD_NORMS,
    HIGH_DIMENSIONS,
    STANDS_OUT,
    claims,
)
from clampsweep.studies.universal.figures import heads as figures
from clampsweep.studies.universal.heads import HEADS, behaviour, heads, spectrum
from clampsweep.studies.universal.report.heads import section

TEXTS = [list(range(2, 22)), list(range(30, 50))]


def test_a_spectrum_is_that_of_the_whole_product():
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(n, 4, generator=generator).double() for n in (9, 7))
    values = np.linalg.svd((left @ right.T).numpy(), compute_uv=False)[:4]
    found = spectrum(left, right)
    assert found.norm == pytest.approx(np.linalg.norm((left @ right.T).numpy()))
    assert found.top == pytest.approx(values[0] ** 2 / (values**2).sum())
    assert found.rank == pytest.approx((values**2).sum() ** 2 / (values**4).sum())
    one = spectrum(left[:, :1], right[:, :1])
    assert (one.top, one.rank) == (pytest.approx(1), pytest.approx(1))


def test_circuits_are_those_of_the_models_own_weights(llama, gpt2):
    found = heads(llama, TEXTS, 2).set_index(["layer", "head"])
    layer, head = 1, 3  # of four query heads; two share keys and values
    block, size = llama.plain.model.layers[layer], llama.plain.config.head_dim
    gain = block.input_layernorm.weight.detach().double().numpy()
    q, k, v = (
        getattr(block.self_attn, f"{name}_proj").weight.detach().double().numpy() * gain
        for name in "qkv"
    )
    o = block.self_attn.o_proj.weight.detach().double().numpy()
    own, shared = slice(head * size, (head + 1) * size), slice(size, 2 * size)
    row = found.loc[(layer, head)]
    assert row["kv_head"] == 1
    assert row["qk_norm"] == pytest.approx(np.linalg.norm(q[own].T @ k[shared]))
    assert row["ov_norm"] == pytest.approx(np.linalg.norm(v[shared].T @ o[:, own].T))
    other = heads(gpt2, TEXTS, 2).set_index(["layer", "head"]).loc[(0, 1)]
    joint = gpt2.plain.transformer.h[0]
    gain = joint.ln_1.weight.detach().double().numpy()[:, None]
    q, k, v = np.split(joint.attn.c_attn.weight.detach().double().numpy() * gain, 3, axis=1)
    size = q.shape[1] // gpt2.plain.config.n_head
    own = slice(size, 2 * size)
    assert other["qk_norm"] == pytest.approx(np.linalg.norm(q[:, own] @ k[:, own].T))
    assert other["kv_head"] == 1


def test_where_heads_look_is_what_hugging_face_says(gpt2, hugging_face):
    found = behaviour(gpt2, TEXTS, 3)
    plain = hugging_face(gpt2)
    plain.set_attn_implementation("eager")
    with torch.inference_mode():
        patterns = plain(torch.tensor(TEXTS), output_attentions=True).attentions
    looked = torch.stack(patterns)[:, :, :, 3:]  # [layer, row, head, query, key]
    entropy = -torch.special.xlogy(looked, looked).sum(-1)
    assert found["first"].tolist() == pytest.approx(looked[..., 0].mean((1, 3)).flatten().tolist())
    assert found["entropy"].tolist() == pytest.approx(entropy.mean((1, 3)).flatten().tolist())
    assert set(found["n_positions"]) == {2 * 17}


# ---- verdicts


def table(rng, n_layers=8, n_heads=6, told=0.0):
    """Heads whose norm of QK tells their attention to the first token, as far as is said."""
    n = n_layers * n_heads
    frame = pd.DataFrame(rng.random((n, len(HEADS.columns))), columns=list(HEADS.columns))
    frame["layer"], frame["head"] = (
        np.repeat(np.arange(n_layers), n_heads),
        np.tile(np.arange(n_heads), n_layers),
    )
    frame["first"] = told * frame["qk_norm"] + (1 - told) * frame["first"] + frame["layer"]
    return frame


def dimensions(rng, special):
    values = 3 + 0.05 * rng.random(40)
    values[7] += special
    maxima = 3.1 + 0.05 * rng.random(60)
    cut = np.quantile(maxima, 0.95)
    own = pd.DataFrame({"dimension": range(40), "kurt": values, "beyond": values > cut})
    turned = pd.DataFrame({"rotation": range(60), "mean": 3.0, "max": maxima})
    return own, turned


def test_what_is_planted_is_found_and_nothing_else():
    rng = np.random.default_rng(0)
    own, turned = dimensions(rng, 2.0)
    found = {
        (row["claim"], row["subject"], row["by"]): row
        for row, _ in claims(table(rng, told=0.8), own, turned)
    }
    foretold = {key: row for key, row in found.items() if key[0] == FORETELLS}
    assert len(foretold) == 12
    sure = [key[1:] for key, row in foretold.items() if row["verdict"] == "supported"]
    assert sure == [("norm of QK", "attention to the first token")]
    by_claim = {key[0]: row for key, row in found.items()}
    assert by_claim[STANDS_OUT]["verdict"] == "supported"
    assert "1 of 40" in by_claim[STANDS_OUT]["words"]
    assert by_claim[HEAD_NORMS]["verdict"] == by_claim[HIGH_DIMENSIONS]["verdict"] == "vacuous"
    assert "8.27" in by_claim[HEAD_NORMS]["why"]


def test_where_there_is_nothing_nothing_is_found_and_the_page_says_so():
    rng = np.random.default_rng(1)
    own, turned = dimensions(rng, 0.0)
    rows = claims(table(rng), own, turned)
    assert not [row for row, _ in rows if row["verdict"] == "supported"]
    frame = pd.DataFrame([row for row, _ in rows])
    text = section(frame, table(rng), own, begins=False)
    assert "there is no BOS" in text and "no more than in a random basis" in text
    drawn = figures.heads(frame, "tiny")
    assert [one.get_text() for one in drawn.axes[0].get_yticklabels()][-1] == "norm of QK"
    assert figures.embeddings(own, turned, "tiny").axes[0].get_xscale() == "log"


def test_ranks_within_layers_pass_over_what_differs_between_them():
    rng = np.random.default_rng(2)
    frame = table(rng)
    plain = stats.spearmanr(frame["first"], frame["layer"]).statistic
    assert plain > 0.9  # layers differ widely
    frame["qk_norm"] = frame["layer"] + 0.1 * rng.random(len(frame))
    rows = claims(frame, *dimensions(rng, 0.0))
    row = next(row for row, _ in rows if row["subject"] == "norm of QK")
    assert abs(row["estimate"]) < 0.4 and row["verdict"] != "supported"
