"""What a model's folder says of generation and is not used; the oracle is `generate` itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from clampsweep.models.unused_settings import sentence, unused_settings
from tiny import BOS, EOS, make_tiny

GIVEN: dict[str, dict[str, Any]] = {
    "penalty": {"repetition_penalty": 1.7},
    "suppressed": {"suppress_tokens": list(range(60, 100))},
    "suppressed first": {"begin_suppress_tokens": list(range(4, 272))},
    "bad words": {"bad_words_ids": [[at] for at in range(60, 110)]},
    "no repeats": {"no_repeat_ngram_size": 1},
    "bias": {"sequence_bias": [[[77], 90.0]]},
    "forced end": {"forced_eos_token_id": 77},
    "beams": {"num_beams": 5},
    "not before": {"min_new_tokens": 30, "eos_token_id": [EOS, *range(60, 272)]},
    "sampling": {"do_sample": True, "temperature": 3.5, "top_k": 5},
    "nothing": {},
    "neutral": {"repetition_penalty": 1.0, "num_beams": 1, "suppress_tokens": [], "top_p": 1.0},
    "sampling that is off": {"temperature": 0.6, "top_p": 0.9, "top_k": 3},
    "housekeeping": {"use_cache": True, "bos_token_id": BOS, "transformers_version": "4.1"},
    "length": {"max_length": 7},
    "ends that are used": {"eos_token_id": [EOS, 77]},
}
ENDS = {"eos_token_id"}  # used


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("gpt2")
    make_tiny(made, "gpt2")
    return made


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()


def _generated(model: Any, given: dict[str, Any]) -> list[list[int]]:
    """Texts of some prompts under settings."""
    torch.manual_seed(0)
    more = {"max_new_tokens": 12, "pad_token_id": EOS, "eos_token_id": EOS, **given}
    settings = GenerationConfig(**{**more, "max_length": None})
    prompts = torch.tensor([[BOS, 70, 71], [90, 80, 70], [66, 99, 120], [200, 201, 202]])
    with torch.inference_mode():
        out = model.generate(
            prompts, attention_mask=torch.ones_like(prompts), generation_config=settings
        )
    return out[:, 3:].tolist()


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN.keys())
def test_what_would_have_changed_the_texts_is_told_and_nothing_else(
    given: dict[str, Any], folder: Path, model: Any
) -> None:
    (folder / "generation_config.json").write_text(json.dumps(given))
    unused = unused_settings(folder)
    used = {name: value for name, value in given.items() if name in ENDS}
    changed = _generated(model, given) != _generated(model, used)
    assert bool(unused) == changed
    assert {name: given[name] for name in unused} == unused
    for name in unused:
        assert name in sentence(unused)


def test_settings_of_old_models_stand_in_the_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"no_repeat_ngram_size": 3, "vocab_size": 9}')
    assert unused_settings(tmp_path) == {"no_repeat_ngram_size": 3}
    (tmp_path / "generation_config.json").write_text('{"do_sample": true}')
    assert unused_settings(tmp_path) == {"do_sample": True}


def test_the_sentence_gives_values_and_cuts_long_ones() -> None:
    told = sentence({"repetition_penalty": 1.1, "suppress_tokens": list(range(500))})
    assert "repetition_penalty 1.1" in told and "(500 entries)" in told
    assert len(told) < 300 and "\n" not in told
