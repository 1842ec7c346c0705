"""Losses of prompts, against Hugging Face's own."""

from __future__ import annotations

import pytest
import torch

from clampsweep.shards.shard import Keyed, Shard
from clampsweep.studies.mystudy.losses import losses

TEXTS = ("the cat ran", "is it so", "a")  # the last of one token


def test_a_loss_is_hugging_faces_and_one_token_has_none(gpt2):
    shard = Shard("mystudy_losses", "m", {}, [Keyed(text, text) for text in TEXTS])
    found = {key: rows.iloc[0] for key, rows in losses(gpt2, shard)}
    assert list(found) == list(TEXTS)
    assert found["a"]["n_tokens"] == 1
    assert found["a"]["loss"] is None
    for text in TEXTS[:2]:
        ids = torch.tensor([gpt2.tokenizer(text).input_ids])
        with torch.inference_mode():
            wanted = float(gpt2.plain(input_ids=ids, labels=ids).loss)
        assert found[text]["loss"] == pytest.approx(wanted, rel=1e-5)
        assert found[text]["n_tokens"] == ids.shape[1]
