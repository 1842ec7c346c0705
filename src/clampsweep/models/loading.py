"""Load a fetched model as Hugging Face's own, offline, and check that it can be swept."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from clampsweep.errors import UserError, reason, shown, whole
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
    if not (folder / MANIFEST).exists():
        raise UserError(
            f"{folder}: no model folder, it has no {MANIFEST}; give one that the workflow has "
            "fetched, such as resources/models/<name>, or run the workflow to fetch it"
        )
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


def load(
    folder: Path | str,
    spec: ModelSpec,
    threads: int,
    device: str = "auto",
    *,
    neurons: bool = True,
) -> Model:
    """The model of a folder, checked: digests, sizes, and that moving a neuron moves the logits.

    With `d_mlp: 0` it must have no neurons, or none that matter.

    Args:
        folder: What `fetch` made.
        spec: Its config entry: dtype, prepend_bos, weight_processing.
        threads: CPU threads for torch.
        device: `auto` (a GPU if there is one), `cpu` or `cuda`.
        neurons: Whether the caller needs neurons: a model without an MLP is then refused.

    Raises:
        TypeError: The spec is none, or `threads` no whole number.
        ValueError: `threads` is below 1, or the device not one of these.
        UserError: The folder is damaged, TransformerLens does not know the architecture, or the
            model has no usable MLP and the caller needs one, or other sizes than the config says.
    """
    if not isinstance(spec, ModelSpec):
        raise TypeError(f"spec: got {shown(spec)}; write a ModelSpec (docs/notebook.md)")
    threads = whole("threads", threads, 1)
    if neurons and not spec.d_mlp:
        raise UserError(
            f"{spec.where}: the model has no neurons (d_mlp: 0), and this job needs them; use a "
            "model with an MLP"
        )
    quiet()
    folder = Path(folder)
    manifest = _verify(folder)
    if (manifest["n_layers"], manifest["d_mlp"]) != (spec.n_layers, spec.d_mlp):
        raise UserError(
            f"{spec.where}: expected n_layers {spec.n_layers} and d_mlp {spec.d_mlp}, but {folder} "
            f"was fetched as of {manifest['n_layers']} and {manifest['d_mlp']}; delete it and run "
            "again"
        )
    torch.set_num_threads(threads)
    dtype = getattr(torch, spec.dtype)
    plain = load_plain(folder, dtype, device_of(device), spec.where)
    tokenizer = load_tokenizer(folder, spec.where)
    check_vocabulary(tokenizer, plain, spec.where)
    if spec.prepend_bos and tokenizer.bos_token_id is None:
        raise UserError(f"{spec.where}.prepend_bos: true, but the tokenizer has no BOS token")
    adapter = find_adapter(plain.config, dtype, spec.where)
    model = Model(plain, adapter, tokenizer, folder, manifest, spec.prepend_bos, _eos_ids(plain))
    (_self_check if spec.d_mlp else _check_empty)(model, spec)
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


def _projections(model: Model, where: str) -> list[Any]:
    """The output projection of each layer's MLP, which may write nothing."""
    try:
        return [model.part(f"blocks.{layer}.mlp.out") for layer in range(model.n_layers)]
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise UserError(
            f"{where}: this model's layers have no one MLP output projection, so no neurons "
            f"to clamp (TransformerLens's blocks.N.mlp.out: {reason(error)})"
        ) from error


def _check_empty(model: Model, spec: ModelSpec) -> None:
    """Check that the MLPs write nothing, whatever their activations are: there are no neurons."""
    outs = _projections(model, spec.where)
    widths: dict[int, int] = {}
    writing: set[int] = set()

    def fill(scale: float, layer: int, activation: torch.Tensor) -> torch.Tensor:
        widths[layer] = activation.shape[-1]
        places = torch.arange(1, widths[layer] + 1)  # [d_mlp]
        return scale * places.cos().to(activation).expand_as(activation)

    def look(layer: int, output: torch.Tensor) -> None:
        if bool(output.any()):
            writing.add(layer)

    ids = torch.arange(4, device=model.device)[None]  # [1, pos]
    for scale in (0.0, 1.0):  # what a projection writes by its bias, and by its weights
        before = {layer: partial(fill, scale, layer) for layer in range(len(outs))}
        after = {layer: partial(look, layer) for layer in range(len(outs))}
        with torch.inference_mode(), hooked(model.plain, outs, before, after):
            model.plain(input_ids=ids, use_cache=False)
    if writing:
        layer = min(writing)
        raise UserError(
            f"{spec.where}: got d_mlp 0, but {hook_post(layer)} has {widths[layer]} neurons that "
            f"reach the residual stream; write d_mlp: {widths[layer]}"
        )


def _self_check(model: Model, spec: ModelSpec) -> None:
    """Check that every layer has neurons, as many as the config says, that move the logits."""
    outs = _projections(model, spec.where)
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
    if wrong:
        raise UserError(
            f"{spec.where}: expected n_layers {spec.n_layers} and d_mlp {spec.d_mlp}, found width "
            f"{widths.get(wrong[0], 0)} at {hook_post(wrong[0])}"
        )
    if torch.equal(natural, moved):
        raise UserError(
            f"{spec.where}: changing {hook_post(last)} does not change the logits; of a model "
            "without an MLP write d_mlp: 0"
        )
