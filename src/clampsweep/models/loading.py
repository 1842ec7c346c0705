"""Load a fetched model through TransformerBridge, offline, and check that it can be swept."""

from __future__ import annotations

import copy
import inspect
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.errors import UserError
from clampsweep.models.directions import random_direction
from clampsweep.models.hugging_face import check_vocabulary, load_plain, load_tokenizer
from clampsweep.models.spec import ModelSpec
from clampsweep.models.tokens import decode_after
from clampsweep.names import OWN, hook_post
from clampsweep.provenance import file_digest

MANIFEST = "model.json"

DIGESTS = "model.sha256"  # in the form that `sha256sum --check` reads


@dataclass(frozen=True)
class Model:
    """A loaded model: the bridge, its tokenizer, its sizes and the tokens that end a text.

    Attributes:
        bridge: A `TransformerBridge` in evaluation mode.
        folder: Where it was loaded from.
        plain: Hugging Face's own model of the same weights, in the same memory; None where the
            bridge's weights are processed.
        manifest: What `model.json` says.
        prepend_bos: Whether prompts begin with the beginning-of-sequence token.
        eos_ids: Tokens at which generation stops.
    """

    bridge: Any = field(repr=False)
    folder: Path
    plain: Any = field(repr=False)
    manifest: dict[str, Any]
    prepend_bos: bool
    eos_ids: frozenset[int]

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return int(self.bridge.cfg.n_layers)

    @property
    def d_mlp(self) -> int:
        """Number of neurons of a layer."""
        return int(self.bridge.cfg.d_mlp)

    @property
    def n_ctx(self) -> int:
        """Context length in tokens."""
        return int(self.bridge.cfg.n_ctx)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(next(self.bridge.original_model.parameters()).device)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        dtype: torch.dtype = next(self.bridge.original_model.parameters()).dtype
        return dtype

    def output_directions(
        self,
        layer: int,
        neurons: Int[Tensor, " edit"],
        along: Int[Tensor, " edit"] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Float[Tensor, "edit d_model"]:
        """What one unit of each neuron adds to the residual stream.

        Not to be called while the bridge is hooked, if its weights are processed.

        Args:
            layer: Layer of the neurons.
            neurons: Their places in it.
            along: Random directions that take the place of the neurons' own, with the same
                length; OWN (or None) where they do not.
            dtype: Of the result; the model's if None.
        """
        units = torch.zeros(len(neurons) + 1, self.d_mlp, device=self.device, dtype=self.dtype)
        units[torch.arange(len(neurons), device=self.device), neurons] = 1
        with torch.inference_mode():
            out = self.bridge.blocks[layer].mlp.out
            if self.plain is not None:  # the bridge may be hooked
                out = self.bridge.adapter.get_component(self.plain, f"blocks.{layer}.mlp.out")
            moved = out(units)
            found: Tensor = (moved[:-1] - moved[-1]).double()
            lengths = found.norm(dim=-1)
            for at, number in enumerate([] if along is None else along.tolist()):
                if number != OWN:
                    unit = random_direction(layer, number, found.shape[1])
                    found[at] = lengths[at] * torch.from_numpy(unit).to(found)
        return found.to(dtype or self.dtype, copy=True)  # no longer an inference tensor

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt, beginning with BOS where the config says so."""
        tokenizer = self.bridge.tokenizer
        ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
        return [int(tokenizer.bos_token_id), *ids] if self.prepend_bos else ids

    def decode(self, ids: Sequence[int], after: Sequence[int] = ()) -> str:
        """Text of token ids, special tokens left out, spaces as generated.

        Args:
            ids: Token ids.
            after: Those of the text that stands before: the prompt's.
        """
        return decode_after(self.bridge.tokenizer, after, ids)


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
        UserError: The folder is damaged, or the model has no usable MLP hook point.
    """
    # TransformerLens would run pip, or uv, for what some models' image processors import.
    os.environ |= {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    from transformer_lens.model_bridge import TransformerBridge

    quiet()
    manifest = _verify(Path(folder))
    torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = getattr(torch, spec.dtype)
    plain = load_plain(Path(folder), dtype, device, spec.where)
    check_vocabulary(load_tokenizer(Path(folder), spec.where), plain, spec.where)
    try:
        bridge = TransformerBridge.boot_transformers(
            str(folder), dtype=dtype, device=device, trust_remote_code=False
        )
    except (ValueError, KeyError, NotImplementedError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{spec.where}: TransformerLens cannot load this architecture: {reason}"
        ) from error
    if spec.weight_processing == "compatibility":
        bridge.enable_compatibility_mode()
    bridge.eval()
    model = Model(bridge, Path(folder), None, manifest, spec.prepend_bos, _eos_ids(bridge))
    if spec.weight_processing == "none":
        model = replace(model, plain=plain)
        _share_weights(model.plain, bridge)
    _self_check(model, spec, Path(folder))
    return model


def twin(plain: Any) -> Any:
    """A plain model's modules once more, over the same weights, to be hooked or changed apart."""
    return copy.deepcopy(plain, {id(one): one for one in plain.parameters()})


def _share_weights(plain: Any, bridge: Any) -> None:
    """Let a plain model use the memory of the bridge's weights where they are equal."""
    held = {
        name.replace("._original_component", ""): one
        for name, one in bridge.original_model.named_parameters()
    }
    for name, parameter in plain.named_parameters():
        if name in held and torch.equal(held[name], parameter):
            parameter.data = held[name].data


def _eos_ids(bridge: Any) -> frozenset[int]:
    hf = bridge.original_model
    ids = getattr(hf.generation_config, "eos_token_id", None)
    ids = hf.config.eos_token_id if ids is None else ids
    if ids is None:
        return frozenset()
    return frozenset(ids if isinstance(ids, list) else [ids])


def _has_bos(folder: Path) -> bool:
    """Whether the tokenizer has a BOS token of its own: the bridge puts EOS in its place."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return tokenizer.bos_token_id is not None


def _self_check(model: Model, spec: ModelSpec, folder: Path) -> None:
    """Check that the hook point exists, has the expected width, and moves the logits."""
    name = hook_post(model.n_layers - 1)
    if name not in model.bridge.hook_dict:
        raise UserError(f"{spec.where}: TransformerLens gives this model no hook point {name}")
    widths = []

    def move(activation: torch.Tensor, hook: object) -> torch.Tensor:
        widths.append(activation.shape[-1])
        return activation + 1.0

    tokens = torch.arange(4, device=model.device)[None] % model.bridge.cfg.d_vocab
    with torch.inference_mode():
        plain = model.bridge(tokens)
        with model.bridge.hooks(fwd_hooks=[(name, move)]):
            moved = model.bridge(tokens)
    if widths != [spec.d_mlp] or model.n_layers != spec.n_layers:
        raise UserError(
            f"{spec.where}: expected n_layers {spec.n_layers} and d_mlp {spec.d_mlp}, found "
            f"{model.n_layers} layers and width {widths} at {name}"
        )
    if torch.equal(plain, moved):
        raise UserError(f"{spec.where}: changing {name} does not change the logits")
    if spec.prepend_bos and not _has_bos(folder):
        raise UserError(f"{spec.where}.prepend_bos: true, but the tokenizer has no BOS token")


def takes_logits_to_keep(model: Model) -> bool:
    """Whether the model can be told to compute the newest position's logits only."""
    return "logits_to_keep" in inspect.signature(model.bridge.original_model.forward).parameters
