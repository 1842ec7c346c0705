"""What a model's folder says of generation, where the config decides instead. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NEUTRAL: Mapping[str, Any] = {
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "bad_words_ids": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "sequence_bias": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "forced_decoder_ids": None,
    "force_words_ids": None,
    "constraints": None,
    "exponential_decay_length_penalty": None,
    "min_length": 0,
    "min_new_tokens": 0,
    "stop_strings": None,
    "num_beams": 1,
    "penalty_alpha": None,
    "dola_layers": None,
    "guidance_scale": 1.0,
    "watermarking_config": None,
    "do_sample": False,
}
"""Settings that change which tokens `generate` of transformers chooses; where they do not."""

_OF_SAMPLING: Mapping[str, Any] = {
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "top_h": None,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
}
"""The same for those that have a say only where `do_sample` is true."""


def unused_settings(folder: Path) -> dict[str, Any]:
    """Settings of generation in a model's folder that would have changed texts, and their values.

    The tokens that end a text are not among them: they are used.

    Args:
        folder: Of the model. Where it has no `generation_config.json`, `config.json` counts.
    """
    given: dict[str, Any] = {}
    for name in ("config.json", "generation_config.json"):
        if (folder / name).is_file():
            given = json.loads((folder / name).read_text(encoding="utf-8"))
    neutral = {**_NEUTRAL, **(_OF_SAMPLING if given.get("do_sample") else {})}
    return {
        name: given[name]
        for name, value in neutral.items()
        if name in given and given[name] not in (value, None, [], {}, 0)
    }


def sentence(unused: Mapping[str, Any]) -> str:
    """What was not used, in a sentence.

    Args:
        unused: Of `unused_settings`, at least one.
    """
    told = ", ".join(f"{name} {_short(value)}" for name, value in unused.items())
    return (
        "Not used: what the model's own settings of generation say of the choice of tokens "
        f"({told}); the config's decoding says it."
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:50]} ... ({len(value)} entries)"
