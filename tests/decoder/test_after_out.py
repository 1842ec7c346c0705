"""What stands between an output projection and the residual stream, against each model's config."""

from __future__ import annotations

from pathlib import Path

import pytest

from clampsweep.decoder.after_out import AfterOut, find
from clampsweep.decoder.attention import UnsupportedError
from families import load_family


def _norms(name: str) -> tuple[str, ...]:
    return tuple(f"model.layers.{layer}.{name}" for layer in range(2))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("gpt2", AfterOut(1.0, (), 1.0)),
        ("opt", AfterOut(1.0, (), 1.0)),
        ("cohere", AfterOut(1.0, (), 0.5)),
        ("granite", AfterOut(0.6, (), 2.0)),
        ("olmo2", AfterOut(1.0, _norms("post_feedforward_layernorm"), 1.0)),
        ("gemma3_text", AfterOut(1.0, _norms("post_feedforward_layernorm"), 1.0)),
        ("glm4", AfterOut(1.0, _norms("post_mlp_layernorm"), 1.0)),
    ],
)
def test_what_follows_is_found(name: str, wanted: AfterOut, tmp_path: Path) -> None:
    assert find(load_family(tmp_path, name)) == wanted


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("opt-post-norm", "something other than a norm or a factor"),  # a norm of the whole sum
        ("gemma2", "no multiple"),  # a soft cap of the logits
    ],
)
def test_what_is_neither_a_norm_nor_a_factor_is_refused(
    name: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match=said):
        find(load_family(tmp_path, name))


@pytest.mark.parametrize("name", ["llama", "granite", "olmo2"])
def test_a_layer_that_differs_from_the_others_is_refused(name: str, tmp_path: Path) -> None:
    """Whichever layer that is: texts would be silently wrong there."""
    for layer in range(2):
        model = load_family(tmp_path / str(layer), name)
        find(model)
        model.part(f"blocks.{layer}").register_forward_hook(lambda module, args, out: 0.5 * out)
        with pytest.raises(UnsupportedError, match="something other than a norm or a factor"):
            find(model)
