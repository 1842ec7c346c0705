"""A loaded model: what texts come from, its tokenizer, its parts and its sizes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.errors import shown, whole
from clampsweep.models.bridge import boot, check_bridge
from clampsweep.models.chat import encode_chat
from clampsweep.models.directions import random_direction
from clampsweep.models.tokens import decode_after
from clampsweep.names import OWN, Neuron


@dataclass(frozen=True)
class Model:
    """A loaded model: Hugging Face's own, its tokenizer, its sizes and the tokens that end a text.

    Attributes:
        plain: What texts come from: Hugging Face's own model, in evaluation mode. With
            `weight_processing: compatibility` it is the bridge's, whose weights are processed.
        adapter: TransformerLens's names for its modules.
        tokenizer: Its tokenizer.
        folder: Where it was loaded from.
        manifest: What `model.json` says.
        prepend_bos: Whether prompts begin with the beginning-of-sequence token.
        eos_ids: Tokens at which generation stops.
        processed_bridge: The bridge with processed weights, if they are; else None.
    """

    plain: Any = field(repr=False)
    adapter: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    folder: Path
    manifest: dict[str, Any]
    prepend_bos: bool
    eos_ids: frozenset[int]
    processed_bridge: Any = field(default=None, repr=False)

    @property
    def processed(self) -> bool:
        """Whether TransformerLens has processed the weights."""
        return self.processed_bridge is not None

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return int(self.manifest["n_layers"])

    @property
    def d_mlp(self) -> int:
        """Number of neurons of a layer; 0 for a model without an MLP."""
        return int(self.manifest["d_mlp"])

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.adapter.cfg.d_model)

    @property
    def n_ctx(self) -> int:
        """Context length in tokens."""
        return int(self.adapter.cfg.n_ctx)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(next(self.plain.parameters()).device)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        dtype: torch.dtype = next(self.plain.parameters()).dtype
        return dtype

    def part(self, name: str, plain: Any = None) -> Any:
        """A module by TransformerLens's name, such as `blocks.0.mlp.out`.

        Args:
            name: Its name.
            plain: Another model of the same class to look in, such as a `twin`.
        """
        return self.adapter.get_component(self.plain if plain is None else plain, name)

    @cached_property
    def outs(self) -> list[Any]:
        """The output projection of each layer's MLP: its input is the post-activation.

        None for a model without an MLP.
        """
        return self.outs_of(self.plain)

    def outs_of(self, plain: Any) -> list[Any]:
        """The same in another model of the same class."""
        layers = range(self.n_layers if self.d_mlp else 0)
        return [self.part(f"blocks.{layer}.mlp.out", plain) for layer in layers]

    @cached_property
    def bridge(self) -> Any:
        """A `TransformerBridge`, with memory of its own, made when it is first asked for.

        Raises:
            UserError: It cannot be made, or says other things than Hugging Face's own model.
        """
        if self.processed:
            return self.processed_bridge
        bridge = boot(self.folder, self.dtype, self.device, str(self.folder))
        check_bridge(bridge, self.plain, self.outs, str(self.folder))
        return bridge

    def output_directions(
        self,
        layer: int,
        neurons: Int[Tensor, " edit"],
        along: Int[Tensor, " edit"] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Float[Tensor, "edit d_model"]:
        """What one unit of each neuron adds to what W_out gives.

        That is before any norm or factor that a model puts between W_out and the residual stream.

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
            moved = self.outs[layer](units)
            found: Tensor = (moved[:-1] - moved[-1]).double()
            lengths = found.norm(dim=-1)
            for at, number in enumerate([] if along is None else along.tolist()):
                if number != OWN:
                    unit = random_direction(layer, number, found.shape[1])
                    found[at] = lengths[at] * torch.from_numpy(unit).to(found)
        return found.to(dtype or self.dtype, copy=True)  # no longer an inference tensor

    def check_neuron(self, neuron: Neuron) -> None:
        """Refuse a neuron that the model does not have.

        Raises:
            TypeError: It is no neuron, but perhaps the name of one.
            ValueError: It is out of range.
        """
        if not isinstance(neuron, Neuron):
            raise TypeError(f"neuron: got {shown(neuron)}; write Neuron(11, 373)")
        if not self.d_mlp:
            raise ValueError(f"neuron: got {neuron}; the model has no MLP, and no neurons")
        whole(f"{neuron}: layer", neuron.layer, 0, self.n_layers - 1)
        whole(f"{neuron}: neuron", neuron.index, 0, self.d_mlp - 1)

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt, beginning with BOS where the config says so.

        Raises:
            TypeError: It is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"text: got {shown(text)}; write one text")
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return [int(self.tokenizer.bos_token_id), *ids] if self.prepend_bos else ids

    def encode_chat(self, text: str, system: str | None = None) -> list[int]:
        """Token ids of a prompt as the tokenizer's own chat template writes it, BOS included.

        Args:
            text: The prompt.
            system: The system message before it; None for none.

        Raises:
            UserError: There is no template, or it does not take these messages.
        """
        return encode_chat(self.tokenizer, text, system, self.manifest["name"])

    def decode(self, ids: Sequence[int], after: Sequence[int] = ()) -> str:
        """Text of token ids, special tokens left out, spaces as generated.

        Args:
            ids: Token ids.
            after: Those of the text that stands before: the prompt's.
        """
        return decode_after(self.tokenizer, after, ids)


def twin(plain: Any) -> Any:
    """A plain model's modules once more, over the same weights, to be hooked or changed apart.

    Hooks that stand on the model, as in the middle of a decode, are not the twin's.
    """
    known: dict[int, Any] = {id(one): one for one in plain.parameters()}
    for module in plain.modules():
        hooks = [part for name, part in vars(module).items() if "_hooks" in name]
        known |= {id(part): type(part)() for part in hooks if isinstance(part, dict)}
    return copy.deepcopy(plain, known)
