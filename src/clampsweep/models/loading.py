"""Load a fetched model as Hugging Face's own, offline, and check that it can be swept."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from clampsweep.errors import UserError, reason
from clampsweep.models.bridge import boot, check_bridge, find_adapter, process
from clampsweep.models.devices import device_of
from clampsweep.models.hooks import hooked
from clampsweep.models.hugging_face import check_vocabulary, load_plain, load_tokenizer
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from clampsweep.names import hook_post
from clampsweep.provenance import file_digest

MANIFEST = "model.json"

DIGESTS = "model.sha256"  # in the form that `sha256sum --check` reads


def quiet() -> None:
    """Keep transformers from drawing progress bars of its own."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _verify(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        files = {name: file_digest(folder / name) for name in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder}: incomplete model folder ({error}); delete it and run again"
        ) from error
    for name, digest in files.items():
        if digest != manifest["files"][name]:
            raise UserError(
                f"{folder / name}: wrong digest {digest}, {MANIFEST} says "
                f"{manifest['files'][name]}; delete {folder} and run again"
            )
    known = {*files, MANIFEST, DIGESTS}
    found = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    foreign = sorted(found - known)
    if foreign:
        raise UserError(
            f"{folder / foreign[0]}: not in {MANIFEST}, so it is no part of the model; delete it "
            "and run again"
        )
    return manifest


def load(folder: Path | str, spec: ModelSpec, threads: int, device: str = "auto") -> Model:
    """The model of a folder, checked: digests, sizes, and that moving a neuron moves the logits.

    Args:
        folder: What `fetch` made.
        spec: Its config entry: dtype, prepend_bos, weight_processing.
        threads: CPU threads for torch.
        device: `auto` (a GPU if there is one), `cpu` or `cuda`.

    Raises:
        UserError: The folder is damaged, TransformerLens does not know the architecture, or the
            model has no usable MLP.
    """
    quiet()
    folder = Path(folder)
    manifest = _verify(folder)
    torch.set_num_threads(threads)
    dtype = getattr(torch, spec.dtype)
    plain = load_plain(folder, dtype, device_of(device), spec.where)
    tokenizer = load_tokenizer(folder, spec.where)
    check_vocabulary(tokenizer, plain, spec.where)
    if spec.prepend_bos and tokenizer.bos_token_id is None:
        raise UserError(f"{spec.where}.prepend_bos: true, but the tokenizer has no BOS token")
    adapter = find_adapter(plain.config, dtype, spec.where)
    model = Model(plain, adapter, tokenizer, folder, manifest, spec.prepend_bos, _eos_ids(plain))
    _self_check(model, spec)
    return _processed(model, spec) if spec.weight_processing == "compatibility" else model


def _processed(model: Model, spec: ModelSpec) -> Model:
    """The model with TransformerLens's weight processing, if that leaves what it says as it is."""
    bridge = boot(model.folder, model.dtype, model.device, spec.where)
    process(bridge, spec.where)
    check_bridge(bridge, model.plain, model.outs, spec.where)
    return replace(
        model, plain=bridge.original_model, adapter=bridge.adapter, processed_bridge=bridge
    )


def _eos_ids(plain: Any) -> frozenset[int]:
    ids = getattr(plain.generation_config, "eos_token_id", None)
    ids = plain.config.eos_token_id if ids is None else ids
    if ids is None:
        return frozenset()
    return frozenset(ids if isinstance(ids, list) else [ids])


def _self_check(model: Model, spec: ModelSpec) -> None:
    """Check that every layer has neurons, as many as the config says, that move the logits."""
    try:
        outs = model.outs
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise UserError(
            f"{spec.where}: this model's layers have no one MLP output projection, so no neurons "
            f"to clamp (TransformerLens's blocks.N.mlp.out: {reason(error)})"
        ) from error
    widths: dict[int, int] = {}
    ids = torch.arange(4, device=model.device)[None]  # [1, pos]
    last = model.n_layers - 1

    def note(layer: int, activation: torch.Tensor) -> None:
        widths[layer] = activation.shape[-1] if activation.shape[1] == ids.shape[1] else 0

    def move(activation: torch.Tensor) -> torch.Tensor:
        return activation + 1.0

    with torch.inference_mode():
        with hooked(model.plain, outs, {layer: partial(note, layer) for layer in range(len(outs))}):
            natural = model.plain(input_ids=ids).logits
        with hooked(model.plain, outs, {last: move}):
            moved = model.plain(input_ids=ids).logits
    wrong = [layer for layer in range(spec.n_layers) if widths.get(layer) != spec.d_mlp]
    if wrong or model.n_layers != spec.n_layers:
        found = widths.get(wrong[0], 0) if wrong else spec.d_mlp
        raise UserError(
            f"{spec.where}: expected n_layers {spec.n_layers} and d_mlp {spec.d_mlp}, found "
            f"{model.n_layers} layers and width {found} at {hook_post(wrong[0] if wrong else last)}"
        )
    if torch.equal(natural, moved):
        raise UserError(f"{spec.where}: changing {hook_post(last)} does not change the logits")
