"""The bridge is handed out only where it says what Hugging Face's own model says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clampsweep.errors import UserError
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from families import make_family


def _fetched(name: str, folder: Path) -> tuple[Path, ModelSpec]:
    spec = make_family(folder / "source", name)
    fetch(spec, folder / "model")
    return folder / "model", spec


@pytest.mark.parametrize("name", ["cohere", "falcon-alibi", "mpt"])
def test_a_bridge_that_says_other_things_is_refused_and_the_model_is_not(
    name: str, tmp_path: Path
) -> None:
    """Cohere's is wrong in one pass, the two with ALiBi in a step with a cache."""
    folder, spec = _fetched(name, tmp_path)
    model = load(folder, spec, threads=1, device="cpu")
    with pytest.raises(UserError, match="differs from Hugging Face's own model") as error:
        _ = model.bridge
    assert "\n" not in str(error.value)
    assert "weight_processing: none" in str(error.value)


@pytest.mark.parametrize("name", ["cohere", "falcon-alibi"])
def test_processed_weights_that_say_other_things_are_refused(name: str, tmp_path: Path) -> None:
    folder, spec = _fetched(name, tmp_path)
    with pytest.raises(UserError) as error:
        load(folder, replace(spec, weight_processing="compatibility"), threads=1, device="cpu")
    assert "\n" not in str(error.value)
    assert spec.where in str(error.value)
    assert "weight_processing: none" in str(error.value)


def test_a_bridge_that_says_the_same_has_memory_of_its_own(model: Model) -> None:
    """So that a caller may process its weights."""
    tokens = torch.tensor([model.encode("the cat ran")])
    bridge = model.bridge
    with torch.inference_mode():
        natural = model.plain(tokens).logits
        torch.testing.assert_close(bridge.forward(tokens), natural, rtol=1e-4, atol=1e-4)
    assert model.bridge is bridge
    with torch.no_grad():
        for weight in bridge.original_model.parameters():
            weight.zero_()
    with torch.inference_mode():
        assert torch.equal(model.plain(tokens).logits, natural)
    del vars(model)["bridge"]  # other tests share the model


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "neox"])
def test_a_processed_model_runs_what_its_bridge_runs(
    load_tiny: Callable[..., Model], architecture: str
) -> None:
    model = load_tiny(architecture, weight_processing="compatibility")
    tokens = torch.tensor([model.encode("the cat ran")])
    with torch.inference_mode():
        torch.testing.assert_close(model.bridge.forward(tokens), model.plain(tokens).logits)
