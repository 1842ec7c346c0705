"""Hook points, against Hugging Face's own modules hooked by hand and its own outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import gelu

from clampsweep.errors import UserError
from clampsweep.models.hook_points import reader, width
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.names import (
    HOOK_NAMES,
    MLP_POST,
    MLP_PRE,
    MLP_PRE_LINEAR,
    PATTERN,
    RESID_POST,
    RESID_PRE,
    HookPoint,
)
from families import FAMILIES, WINDOW, load_family
from standing import n_hooks
from tiny import make_tiny

# Longer than the sliding windows of those that have some. [row, pos]
IDS = torch.randint(2, 272, (3, WINDOW + 3), generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class Hand:
    """Where things are in a family's modules, `{}` for the layer; found by reading its code.

    Attributes:
        block: A layer.
        act: Its activation function: what goes in is the gate, or the pre-activation.
        out: Its MLP's output projection.
        up: Its up projection; None if the MLPs are not gated.
        fused: Whether the up projection is the second half of `up`.
    """

    block: str
    act: str
    out: str
    up: str | None = None
    fused: bool = False


_LLAMA = Hand(
    "model.layers.{}", "model.layers.{}.mlp.act_fn", "model.layers.{}.mlp.down_proj",
    "model.layers.{}.mlp.up_proj",
)  # fmt: skip
_GPT2 = Hand("transformer.h.{}", "transformer.h.{}.mlp.act", "transformer.h.{}.mlp.c_proj")
_FUSED = replace(
    _LLAMA,
    act="model.layers.{}.mlp.activation_fn",
    up="model.layers.{}.mlp.gate_up_proj",
    fused=True,
)
_OPT = Hand(
    "model.decoder.layers.{}", "model.decoder.layers.{}.activation_fn",
    "model.decoder.layers.{}.fc2",
)  # fmt: skip
_BLOOM = "transformer.h.{}.mlp"
HANDS = {
    "gpt2": _GPT2,
    "gpt_neo": _GPT2,
    "gptj": replace(_GPT2, out="transformer.h.{}.mlp.fc_out"),
    "gpt_neox": Hand(
        "gpt_neox.layers.{}", "gpt_neox.layers.{}.mlp.act", "gpt_neox.layers.{}.mlp.dense_4h_to_h"
    ),
    "bloom": Hand("transformer.h.{}", f"{_BLOOM}.gelu_impl", f"{_BLOOM}.dense_4h_to_h"),
    "opt": _OPT,
    "opt-post-norm": _OPT,
    "llama": _LLAMA,
    "mistral-window": _LLAMA,
    "qwen3": _LLAMA,
    "gemma3_text": _LLAMA,
    "gemma4_text": _LLAMA,
    "olmo2": _LLAMA,
    "granite": _LLAMA,
    "apertus": replace(_LLAMA, up=None),
    "phi3": _FUSED,
    "glm4": _FUSED,
    "bert": Hand(
        "bert.encoder.layer.{}",
        "bert.encoder.layer.{}.intermediate.intermediate_act_fn",
        "bert.encoder.layer.{}.output.dense",
    ),
}
# Points of tried families that are refused; of those that are not gated, hook_pre_linear too.
LACKS = {
    "bitnet": {MLP_PRE, MLP_PRE_LINEAR},  # a norm before W_out
    "falcon_h1": {MLP_PRE, MLP_PRE_LINEAR},  # a factor before the activation function
    "modernbert-decoder": {MLP_PRE},  # gate and up in one module, which is not named so
    "openai-gpt": {PATTERN},
    **{name: {PATTERN} for name in FAMILIES if name.startswith("falcon") and name != "falcon_h1"},
    # layers without attention
    **{name: {PATTERN} for name in ("qwen3_5_text", "olmo_hybrid", "jamba", "bamba", "lfm2")},
}


def _read(model: Model, ids: torch.Tensor, points: list[HookPoint]) -> dict[HookPoint, Any]:
    got: dict[HookPoint, torch.Tensor] = {}
    found = reader(model, points)
    with torch.inference_mode(), found.reading(lambda at, x: got.__setitem__(at, x.clone())):
        found.plain(input_ids=ids, use_cache=False)
    return got


def _eager(model: Model) -> Any:
    """The same weights in Hugging Face's own class, with its own eager attention."""
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    source = model.manifest["source"]
    return auto.from_pretrained(source, dtype=model.dtype, attn_implementation="eager").eval()


def _by_hand(plain: Any, hand: Hand, ids: torch.Tensor, layer: int) -> dict[str, torch.Tensor]:
    """What a layer has at each hook point, by hooks at modules named by hand."""
    seen: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def note(value: Any) -> None:
            value = value[0] if isinstance(value, tuple) else value
            seen[name] = value.reshape(*ids.shape, -1).clone()

        return lambda module, args, output=None: note(args if output is None else output)

    def at(path: str) -> Any:
        return plain.get_submodule(path.format(layer))

    handles = [
        at(hand.block).register_forward_pre_hook(keep(RESID_PRE)),
        at(hand.block).register_forward_hook(keep(RESID_POST)),
        at(hand.act).register_forward_pre_hook(keep(MLP_PRE)),
        at(hand.out).register_forward_pre_hook(keep(MLP_POST)),
    ]
    if hand.up is not None:
        handles.append(at(hand.up).register_forward_hook(keep(MLP_PRE_LINEAR)))
    with torch.inference_mode():
        said = plain(input_ids=ids, use_cache=False, output_attentions=True)
    for handle in handles:
        handle.remove()
    if hand.fused:
        seen[MLP_PRE_LINEAR] = seen[MLP_PRE_LINEAR][..., seen[MLP_POST].shape[-1] :]
    seen[PATTERN] = said.attentions[layer].transpose(1, 2)  # [row, query, head, key]
    return seen


@pytest.mark.parametrize("name", HANDS)
def test_hook_points_are_what_modules_hooked_by_hand_hold(name: str, tmp_path: Path) -> None:
    """Every hook point and layer, in one pass and each row alone."""
    model, hand = load_family(tmp_path, name), HANDS[name]
    plain = _eager(model)
    names = [one for one in HOOK_NAMES if hand.up is not None or one != MLP_PRE_LINEAR]
    points = [HookPoint(layer, one) for layer in range(model.n_layers) for one in names]
    together = _read(model, IDS, points)
    alone = [_read(model, row[None], points) for row in IDS]
    for layer in range(model.n_layers):
        wanted = _by_hand(plain, hand, IDS, layer)
        assert set(wanted) == set(names)
        for one in names:
            point = HookPoint(layer, one)
            assert together[point].shape[2] == width(model, point)
            torch.testing.assert_close(
                together[point], wanted[one], msg=lambda m, p=point: f"{p}: {m}"
            )
            each = torch.cat([row[point] for row in alone])
            torch.testing.assert_close(each, wanted[one])
    assert n_hooks(model.plain) == 0


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_hook_points_are_shown_to_be_right_in_each_type(
    name: str, dtype: str, load_tiny: Callable[..., Model]
) -> None:
    model = load_tiny(name, dtype=dtype)
    names = [one for one in HOOK_NAMES if name == "llama" or one != MLP_PRE_LINEAR]
    points = [HookPoint(layer, one) for layer in range(model.n_layers) for one in names]
    got = _read(model, IDS, points)
    assert {value.dtype for value in got.values()} == {model.dtype}
    post, pre = (got[HookPoint(1, one)].float() for one in (MLP_POST, MLP_PRE))
    linear = got[HookPoint(1, MLP_PRE_LINEAR)].float() if name == "llama" else 1.0
    act = torch.nn.functional.silu if name == "llama" else partial(gelu, approximate="tanh")
    torch.testing.assert_close(act(pre) * linear, post, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_residual_streams_are_the_models_own_hidden_states(
    name: str, load_tiny: Callable[..., Model], hugging_face: Callable[[Model], Any]
) -> None:
    model = load_tiny(name)
    with torch.inference_mode():
        states = hugging_face(model)(input_ids=IDS, output_hidden_states=True).hidden_states
    points = [HookPoint(layer, one) for layer in range(3) for one in (RESID_PRE, RESID_POST)]
    got = _read(model, IDS, points)
    for layer in range(3):
        torch.testing.assert_close(got[HookPoint(layer, RESID_PRE)], states[layer])
    for layer in range(2):  # the last state has been through the final norm
        torch.testing.assert_close(got[HookPoint(layer, RESID_POST)], states[layer + 1])


def test_reading_patterns_leaves_the_model_as_it_is(llama: Model) -> None:
    before = llama.plain.config._attn_implementation
    assert before != "eager", "or this test shows nothing"
    found = reader(llama, [HookPoint(0, PATTERN)])
    assert found.plain is not llama.plain
    assert (llama.plain.config._attn_implementation, n_hooks(llama.plain)) == (before, 0)
    own = {one.data_ptr() for one in llama.plain.parameters()}
    assert {one.data_ptr() for one in found.plain.parameters()} == own, "no second copy of weights"


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_processed_weights_are_read_as_the_bridge_names_them(name: str, tmp_path: Path) -> None:
    from clampsweep.models.fetching import fetch

    spec = make_tiny(tmp_path / "source", name, weight_processing="compatibility")
    fetch(spec, tmp_path / "model")
    model = load(tmp_path / "model", spec, threads=1, device="cpu")
    names = [RESID_PRE, RESID_POST, MLP_PRE, MLP_POST, *[MLP_PRE_LINEAR] * (name == "llama")]
    points = [HookPoint(1, one) for one in names]
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        (str(at), lambda x, hook, name=str(at): seen.__setitem__(name, x.clone())) for at in points
    ]
    with torch.inference_mode(), model.bridge.hooks(fwd_hooks=hooks):
        model.bridge.forward(IDS)
    got = _read(model, IDS, points)
    for point in points:
        torch.testing.assert_close(got[point], seen[str(point)])
    assert "cannot be read" in _refusal(model, HookPoint(1, PATTERN))


# What is refused


def _refusal(model: Model, point: HookPoint) -> str:
    with pytest.raises(UserError) as caught:
        reader(model, [point])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_hook_point_or_layer_is_one_line_that_says_which_there_are(gpt2: Model) -> None:
    said = _refusal(gpt2, HookPoint(0, "mlp.hook_in"))
    assert "blocks.0.mlp.hook_in" in said
    assert all(f"blocks.L.{name}" in said for name in HOOK_NAMES)
    for layer in (-1, 3):
        said = _refusal(gpt2, HookPoint(layer, MLP_POST))
        assert f"blocks.{layer}.mlp.hook_post" in said
        assert "layers 0 to 2" in said


def test_a_model_without_an_mlp_has_only_the_other_hook_points(gpt2: Model) -> None:
    bare = replace(gpt2, manifest={**gpt2.manifest, "d_mlp": 0})
    for one in (MLP_PRE, MLP_PRE_LINEAR, MLP_POST):
        assert "it has no MLP" in _refusal(bare, HookPoint(1, one))
    points = [HookPoint(1, one) for one in (RESID_PRE, RESID_POST, PATTERN)]
    assert set(_read(bare, IDS, points)) == set(points)


def test_mlps_without_a_gate_have_no_up_projection(gpt2: Model) -> None:
    said = _refusal(gpt2, HookPoint(1, MLP_PRE_LINEAR))
    assert "blocks.1.mlp.hook_pre_linear" in said
    assert "GPT2LMHeadModel" in said
    assert "not gated" in said


@pytest.mark.parametrize("name", ["bitnet", "modernbert-decoder", "openai-gpt", "falcon", "lfm2"])
def test_what_cannot_be_shown_to_be_its_name_is_refused(name: str, tmp_path: Path) -> None:
    model = load_family(tmp_path, name)
    for one in LACKS[name]:
        point = HookPoint(0, one)
        said = _refusal(model, point)
        assert str(point) in said
        assert type(model.plain).__name__ in said


def test_a_module_under_a_wrong_name_is_refused(
    llama: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were TransformerLens's names wrong for a model, nothing would be read wrongly."""
    wrong = {"mlp.gate": "mlp.in", "mlp.in": "mlp.gate", "blocks.1": "blocks.2"}
    own = Model.part

    def part(model: Model, name: str, plain: Any = None) -> Any:
        for right, other in wrong.items():
            if name.endswith(right):
                return own(model, name.removesuffix(right) + other, plain)
        return own(model, name, plain)

    monkeypatch.setattr(Model, "part", part)
    for one in (MLP_PRE, MLP_PRE_LINEAR):
        assert "not the post-activation" in _refusal(llama, HookPoint(0, one))
    for one in (RESID_PRE, RESID_POST):
        assert "is not what goes into layer" in _refusal(llama, HookPoint(0, one))


def test_attention_that_is_no_distribution_over_tokens_so_far_is_refused(
    llama: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.llama import modeling_llama

    def doubled(*args: Any, **options: Any) -> Any:
        return original(*args, **options)[0], 2 * original(*args, **options)[1]

    original = modeling_llama.eager_attention_forward
    monkeypatch.setattr(modeling_llama, "eager_attention_forward", doubled)
    assert "do not sum to 1" in _refusal(llama, HookPoint(0, PATTERN))

    def other(*args: Any, **options: Any) -> Any:
        return -original(*args, **options)[0], original(*args, **options)[1]

    monkeypatch.setattr(modeling_llama, "eager_attention_forward", other)
    assert "its logits are others" in _refusal(llama, HookPoint(0, PATTERN))


def test_a_model_without_eager_attention_has_no_patterns(
    llama: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(model: Any, name: str) -> None:
        raise ValueError(f"no {name} here")

    monkeypatch.setattr(type(llama.plain), "set_attn_implementation", refuse)
    said = _refusal(llama, HookPoint(1, PATTERN))
    assert "blocks.1.attn.hook_pattern" in said
    assert "no eager here" in said


@pytest.mark.parametrize("name", [name for name, one in FAMILIES.items() if not one.refused])
def test_every_tried_family_has_all_hook_points_but_those_that_the_docs_name(
    name: str, tmp_path: Path
) -> None:
    model = load_family(tmp_path, name)
    lacks = set()
    for one in HOOK_NAMES:
        try:
            reader(model, [HookPoint(layer, one) for layer in range(model.n_layers)])
        except UserError as error:
            lacks |= {one} if "not gated" not in str(error) else set()
    assert lacks == LACKS.get(name, set())


def test_the_docs_name_the_families_that_lack_hook_points() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    section = docs.partition("## Hook points")[2].partition("\n## ")[0]
    for name, lacks in LACKS.items():
        (line,) = [
            part
            for part in section.split("\n- ")
            if f"`{name}`" in part
            or (name.startswith("falcon") and "`falcon*`" in part and PATTERN in lacks)
        ]
        assert all(f"`{one.rpartition('.')[2]}`" in line for one in lacks)
