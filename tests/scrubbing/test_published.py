"""Loaders of published models, on stand-ins in their authors' layout, against TransformerLens."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import attention_only
from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.published import read_candidates, read_published, read_tokens
from clampsweep.studies.scrubbing.weights import Learned, Shortformer
from scrubbing.published_folders import IDS, hooked, redwood, save, state_of, wanted


def close(found: np.ndarray, right: np.ndarray) -> bool:
    return bool(np.abs(found - right).max() < 1e-5 * np.abs(right).max())


def test_a_shortformer_in_the_layout_of_redwood_attn_2l_gives_transformerlens_logits(tmp_path):
    folder, right = redwood(tmp_path)
    weights = read_published(folder)
    assert isinstance(weights.positions, Shortformer)
    assert close(attention_only.logits(weights, IDS), right)
    (folder / "model_final.pth").rename(folder / "et_model_state_dict.pt")  # its older name
    assert close(attention_only.logits(read_published(folder), IDS), right)


def test_a_model_in_the_layout_of_attn_only_2l512w_c4_code_gives_transformerlens_logits(tmp_path):
    model = hooked()
    with torch.no_grad():
        model.unembed.b_U.zero_()
    state = {name: tensor for name, tensor in state_of(model).items() if name != "unembed.b_U"}
    weights = read_published(save(tmp_path, state, shortformer_pos=False))
    assert isinstance(weights.positions, Learned)
    assert close(attention_only.logits(weights, IDS), wanted(model))


def test_norms_that_are_folded_away_and_half_precision_are_read(tmp_path):
    model = hooked(normalization_type="LNPre").half().float()
    state = {name: value.half() if value.is_floating_point() else value
             for name, value in state_of(model).items()}  # fmt: skip
    assert not [name for name in state if "ln" in name]
    # Without `normalization`, as some configs have it.
    folder = save(tmp_path, state, normalization=None, normalization_type="LNPre")
    config = json.loads((folder / "config.json").read_text())
    del config["normalization"]
    (folder / "config.json").write_text(json.dumps(config))
    assert close(attention_only.logits(read_published(folder), IDS), wanted(model))


@pytest.mark.parametrize("n_layers", [1, 3, 4])
def test_models_of_other_depths_are_read(tmp_path, n_layers):
    model = hooked(n_layers=n_layers)
    folder = save(tmp_path, model.state_dict(), n_layers=n_layers)
    assert close(attention_only.logits(read_published(folder), IDS), wanted(model))


def broken(change: str, state: dict[str, Any]) -> dict[str, Any]:
    if change == "lacks":
        del state["blocks.1.attn.W_K"]
    elif change == "shape":
        state["blocks.1.attn.W_O"] = state["blocks.1.attn.W_O"].transpose(1, 2)
    elif change == "mlp":
        state["blocks.0.mlp.W_in"] = torch.zeros(16, 64)
    return state


@pytest.mark.parametrize(
    ("change", "config", "said"),
    [
        ("lacks", {}, r"final.pth: no blocks.1.attn.W_K of 3 axes"),
        ("shape", {}, r"blocks.1.attn.W_O has shape \[2, 16, 8\], not \[2, 8, 16\]"),
        ("mlp", {}, "blocks.0.mlp.W_in is no part of an attention-only model"),
        ("", {"attn_only": False}, "config.json: attn_only is not true"),
        ("", {"normalization": "RMS"}, "config.json: normalization 'RMS'; known: LN, LNPre"),
        ("", {"d_model": 512}, "final.pth: d_model is 16, .*config.json says 512"),
        ("", {"n_layers": 3}, "final.pth: n_layers is 2, .*config.json says 3"),
    ],
)
def test_a_model_of_another_form_is_refused_in_one_line(tmp_path, change, config, said):
    folder = save(tmp_path, broken(change, state_of(hooked())), **config)
    with pytest.raises(UserError, match=said):
        read_published(folder)


def test_files_that_are_missing_cut_or_hold_code_are_named(tmp_path):
    folder, _ = redwood(tmp_path)
    file = folder / "model_final.pth"
    data = file.read_bytes()
    for cut in (0, 1, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:cut])
        with pytest.raises(UserError, match=r"model_final\.pth: torch cannot read it .*again"):
            read_published(folder)
    file.write_bytes(pickle.dumps({"embed.W_E": Path}, protocol=2))
    with pytest.raises(UserError, match=r"model_final\.pth: torch cannot read it"):
        read_published(folder)
    torch.save([1], file)
    with pytest.raises(UserError, match=r"model_final\.pth: no state dict"):
        read_published(folder)
    file.unlink()
    with pytest.raises(UserError, match=r"0 files \*final\.pth or \*state_dict\.pt"):
        read_published(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json: not a whole JSON file"):
        read_published(folder)
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=r"config\.json: cannot read"):
        read_published(folder)


def test_the_originals_data_are_read_as_they_were_saved(tmp_path):
    tokens = torch.tensor([[0, 3, 19], [0, 5, 5]], dtype=torch.int32)
    torch.save(tokens, tmp_path / "validation_data.pt")
    assert read_tokens(tmp_path / "validation_data.pt", 20).tolist() == tokens.tolist()
    with pytest.raises(UserError, match=r"validation_data\.pt: no table of token ids from 0 to 18"):
        read_tokens(tmp_path / "validation_data.pt", 19)
    flags = torch.zeros(20, dtype=torch.bool)
    flags[[2, 7]] = True
    for kind in (torch.bool, torch.float32):
        torch.save(flags.to(kind), tmp_path / "good_induction_candidates.pt")
        assert read_candidates(tmp_path / "good_induction_candidates.pt", 20) == [2, 7]
    with pytest.raises(UserError, match="not a flag for each of the model's 21 tokens"):
        read_candidates(tmp_path / "good_induction_candidates.pt", 21)
    torch.save(torch.arange(20), tmp_path / "good_induction_candidates.pt")
    with pytest.raises(UserError, match="not a flag for each"):
        read_candidates(tmp_path / "good_induction_candidates.pt", 20)
