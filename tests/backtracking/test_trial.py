"""One more token under interventions, against Hugging Face's own pass over the whole text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import families
from backtracking.by_hand import PROJECTION, whole_pass
from backtracking.loaded import loaded
from clampsweep.errors import UserError
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.backtracking import trial
from clampsweep.studies.backtracking.onset import Set
from clampsweep.studies.backtracking.trial import Holding, Prefix, adds_directly
from clampsweep.studies.backtracking.trials import holding
from reference import w_out
from standing import n_hooks
from tiny import D_MLP, N_LAYERS, WINDOW, random_model

IDS = np.random.default_rng(0).integers(2, 272, 25).tolist()
NEURONS = [Neuron(0, 3), Neuron(0, 17), Neuron(1, 0), Neuron(2, 5), Neuron(2, D_MLP - 1)]
ROWS = [
    Holding((), ()),
    Holding(NEURONS[:1], [0.0]),
    Holding(NEURONS, [0.5, -1.5, 2.0, 0.0, 3.0]),
    Holding(NEURONS[3:], [1.0, -1.0]),
    Holding([Neuron(0, 3)], [4.0]),
    Holding((), ()),
]


def _agree(model: Model, plain: Any, ids: list[int]) -> None:
    found = Prefix(model, ids).logits(ROWS)
    assert found.dtype == torch.float64
    for row, held in zip(found, ROWS, strict=True):
        torch.testing.assert_close(row, whole_pass(plain, ids, held)[-1], rtol=1e-9, atol=1e-9)


def test_logits_are_those_of_a_whole_pass_with_hooks_at_that_position(model, hugging_face):
    _agree(model, hugging_face(model), IDS)


@pytest.mark.parametrize("n", [2, 3, WINDOW, WINDOW + 1, 25])
def test_so_they_are_of_prefixes_of_any_length_and_beyond_a_sliding_window(
    load_tiny, hugging_face, n
):
    model = load_tiny("mistral")
    _agree(model, hugging_face(model), IDS[:n])


def test_rows_do_not_disturb_each_other(model):
    prefix = Prefix(model, IDS)
    together = prefix.logits(ROWS)
    for held, row in zip(ROWS, together, strict=True):
        torch.testing.assert_close(prefix.logits([held])[0], row, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(together[0], together[-1], rtol=1e-9, atol=1e-12)
    assert (together[1:5] - together[0]).abs().amax(1).min() > 1e-3


@pytest.mark.parametrize("route", ["_BESIDE", "_APART"])
@pytest.mark.parametrize("name", ["llama", "mistral"])
def test_many_rows_are_run_in_parts(load_tiny, monkeypatch, name, route):
    model = load_tiny(name)
    one = Prefix(model, IDS).logits(ROWS)
    monkeypatch.setattr(trial, route, 4)
    torch.testing.assert_close(Prefix(model, IDS).logits(ROWS), one, rtol=1e-9, atol=1e-9)


def test_interventions_stand_side_by_side_where_that_gives_the_same(load_tiny):
    """Not beyond a sliding window, which a mask of ours does not know."""
    assert Prefix(load_tiny("llama"), IDS)._beside(ROWS) is not None
    assert Prefix(load_tiny("mistral"), IDS)._beside(ROWS) is None


def test_a_model_that_overlooks_the_mask_runs_interventions_apart(load_tiny, monkeypatch, caplog):
    """One whose attention takes no mask of ours: side by side, rows would see each other."""
    model = load_tiny("llama")
    wanted = Prefix(model, IDS).logits(ROWS)
    run = Prefix._run

    def overlooking(self, rows, n_rows, cache, **more):
        return run(self, rows, n_rows, cache)

    monkeypatch.setattr(Prefix, "_run", overlooking)
    with caplog.at_level("INFO"):
        found = Prefix(model, IDS).logits(ROWS)
    assert "run apart" in caplog.text
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_logits_along_a_text_are_those_of_a_whole_pass(model, hugging_face):
    """Neurons held from the prefix's last token on, and then without."""
    prefix, plain = Prefix(model, IDS[:10]), hugging_face(model)
    hooks = holding(Set("top", 2, 0, NEURONS[:3], [], []), [0.5, -1.5, 2.0])
    held = Holding(NEURONS[:3], [0.5, -1.5, 2.0])
    for own, changed in ((hooks, held), ({}, Holding((), ()))):
        found = prefix.logits_along(IDS[10:], own)
        wanted = whole_pass(plain, IDS, changed, range(9, len(IDS)))[9:]
        torch.testing.assert_close(found.double(), wanted, rtol=1e-9, atol=1e-9)


def test_nothing_before_the_last_token_is_changed(llama, hugging_face):
    """A later prefix of the same text knows nothing of what was held before."""
    Prefix(llama, IDS).logits(ROWS)
    plain = hugging_face(llama)
    torch.testing.assert_close(
        Prefix(llama, IDS).logits(ROWS[:1])[0], whole_pass(plain, IDS, ROWS[0])[-1]
    )
    earlier = whole_pass(plain, IDS, ROWS[2], [-5])[-1]
    assert (Prefix(llama, IDS).logits(ROWS[2:3])[0] - earlier).abs().max() > 1e-3


def _directly(plain: Any, model: Model, held: Holding) -> torch.Tensor:
    """By hand: final norm and unembedding of the residual stream and what the neurons add to it."""
    norm = {
        "gpt2": lambda: plain.transformer.ln_f,
        "llama": lambda: plain.model.norm,
        "gpt_neox": lambda: plain.gpt_neox.final_layer_norm,
    }[plain.config.model_type]()
    seen: dict[str, torch.Tensor] = {}
    posts: list[torch.Tensor] = []
    handles = [norm.register_forward_pre_hook(lambda m, args: seen.update(last=args[0][0, -1]))]
    for layer in range(N_LAYERS):
        out = PROJECTION[plain.config.model_type](plain, layer)
        handles.append(out.register_forward_pre_hook(lambda m, args: posts.append(args[0][0, -1])))
    with torch.inference_mode():
        plain(torch.tensor([IDS]), use_cache=False)
        for handle in handles:
            handle.remove()
        stream = seen["last"].clone()
        for neuron, value in zip(held.neurons, held.values, strict=True):
            stream += (value - posts[neuron.layer][neuron.index]) * w_out(model, neuron)
        found: torch.Tensor = plain.get_output_embeddings()(norm(stream))
    return found


def test_a_direct_effect_is_what_the_neurons_add_before_the_final_norm(model, hugging_face):
    plain = hugging_face(model)
    straight = [held._replace(direct=True) for held in ROWS]
    # Total and direct rows stand side by side, neurons of one layer among both.
    found = Prefix(model, IDS).logits([*ROWS, *straight])
    for total, direct, held in zip(found, found[len(ROWS) :], ROWS, strict=False):
        torch.testing.assert_close(total, whole_pass(plain, IDS, held)[-1], rtol=1e-9, atol=1e-9)
        wanted = _directly(plain, model, held)
        torch.testing.assert_close(direct, wanted, rtol=1e-9, atol=1e-9)


def test_of_the_last_layer_the_direct_effect_is_the_total_one_and_of_others_it_is_not(model):
    last, first = Holding(NEURONS[3:], [1.0, -2.0]), Holding(NEURONS[:1], [3.0])
    prefix = Prefix(model, IDS)
    total, direct = prefix.logits([last, last._replace(direct=True)])
    torch.testing.assert_close(total, direct, rtol=1e-9, atol=1e-9)
    total, direct = prefix.logits([first, first._replace(direct=True)])
    assert (total - direct).abs().max() > 1e-3


def test_no_hook_stays(llama):
    Prefix(llama, IDS).logits([held._replace(direct=True) for held in ROWS])
    assert n_hooks(llama.plain) == 0


def test_what_an_mlp_gives_is_added_as_it_is(model):
    assert adds_directly(model, IDS)


@pytest.mark.parametrize("name", ["gemma3_text", "olmo2", "granite"])
def test_a_norm_or_a_factor_behind_the_mlp_is_noticed(tmp_path, name):
    assert not adds_directly(families.load_family(tmp_path, name), IDS)


def test_a_norm_behind_the_mlp_is_noticed_though_the_mlp_says_little(tmp_path):
    family = families.FAMILIES["granite"]
    plain = families.random_model(family)
    with torch.no_grad():
        plain.model.layers[-1].mlp.down_proj.weight *= 1e-4
    fields = {"n_layers": families.N_LAYERS, "d_mlp": family.width(plain)}
    assert not adds_directly(loaded(tmp_path, plain, "granite", **fields), IDS)


def test_small_weights_of_a_plain_model_are_no_reason_to_doubt(tmp_path):
    plain = random_model("llama")
    with torch.no_grad():
        plain.model.layers[-1].mlp.down_proj.weight *= 1e-4
    assert adds_directly(loaded(tmp_path, plain), IDS)


def test_a_model_that_keeps_no_keys_is_refused(llama, monkeypatch):
    monkeypatch.setattr(type(llama.plain), "_supports_default_dynamic_cache", lambda *_: False)
    with pytest.raises(UserError, match="tiny-llama: keeps no keys and values; name another model"):
        Prefix(llama, IDS)
