"""TransformerLens beside Hugging Face: its names for a model's parts, and its bridge where needed.

Texts come from Hugging Face's own model. The bridge gives wrong logits or activations for some
architectures, so it is made only for what asks for it, and compared before it is handed out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from clampsweep.environment import environment
from clampsweep.errors import UserError, reason
from clampsweep.models.agreement import difference, tolerance
from clampsweep.models.hooks import hooked
from clampsweep.names import hook_post

_TOKENS = 12  # of the text that both are compared on

# What a loader for a hundred architectures trips over, where it does not fit one.
_FAULTS = (
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    RuntimeError,  # NotImplementedError is one
    ImportError,
    AssertionError,
)


def find_adapter(config: Any, dtype: torch.dtype, where: str) -> Any:
    """TransformerLens's adapter of an architecture: which of its modules has which name.

    Args:
        config: The model's own.
        dtype: The model's.
        where: Place in the config, for messages.

    Raises:
        UserError: TransformerLens does not know the architecture.
    """
    from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_config_from_hf
    from transformer_lens.model_bridge.sources.transformers import (
        determine_architecture_from_hf_config,
    )

    try:
        architecture = determine_architecture_from_hf_config(config)  # type: ignore[no-untyped-call]
    except ValueError as error:
        named = (config.architectures or [config.model_type])[0]
        raise UserError(
            f"{where}: TransformerLens does not know the architecture {named}, so the neurons of "
            "its MLPs have no names here; use a model of another one (docs/models.md)"
        ) from error
    with _refused(f"{where}: TransformerLens cannot name this model: "):
        sizes = build_bridge_config_from_hf(config, architecture, "model", dtype)
        return ArchitectureAdapterFactory.select_architecture_adapter(sizes)


def boot(folder: Path, dtype: torch.dtype, device: torch.device, where: str) -> Any:
    """A `TransformerBridge` of a fetched model, in evaluation mode, with memory of its own.

    Args:
        folder: What `fetch` made.
        dtype: Of the weights.
        device: Where they go.
        where: Place in the config, for messages.

    Raises:
        UserError: The bridge cannot be made.
    """
    from transformer_lens.model_bridge import TransformerBridge

    said = f"{where}: TransformerLens cannot make its bridge of this model: "
    # Or TransformerLens would run pip, or uv, for what some models' image processors import.
    with _refused(said), environment(PIP_NO_INDEX="1", UV_OFFLINE="1"):
        bridge = TransformerBridge.boot_transformers(
            str(folder), dtype=dtype, device=device, trust_remote_code=False
        )
    bridge.eval()
    return bridge


def process(bridge: Any, where: str) -> None:
    """Let TransformerLens process a bridge's weights (norms folded, directions centred).

    Args:
        bridge: Changed in place.
        where: Place in the config, for messages.

    Raises:
        UserError: It cannot process this model's.
    """
    said = f"{where}: TransformerLens cannot process this model's weights ("
    with _refused(said, "); write weight_processing: none"):
        bridge.enable_compatibility_mode()


def check_bridge(bridge: Any, plain: Any, outs: list[Any], where: str) -> None:
    """Refuse a bridge that says other things than Hugging Face's own model.

    Log-probabilities are compared, and the post-activations of the first and the last layer if it
    has an MLP, in one pass and in one step with a cache.

    Args:
        bridge: Its weights may be processed.
        plain: The model in Hugging Face's class.
        outs: The output projection of each layer's MLP, if it has any.
        where: Place in the config, for messages.

    Raises:
        UserError: They differ, or the bridge does not run.
    """
    vocabulary = plain.get_input_embeddings().num_embeddings
    ids = torch.arange(1, _TOKENS + 1, device=plain.device)[None] % vocabulary  # [1, pos]
    said = f"{where}: TransformerLens's bridge does not run this model ("
    with torch.inference_mode(), _refused(said, "); write weight_processing: none"):
        off = _largest_difference(bridge, plain, outs, ids)
    if not off < tolerance(next(plain.parameters()).dtype):
        raise UserError(
            f"{where}: TransformerLens's bridge differs from Hugging Face's own model here (by "
            f"{off:.2g} of the largest value), so what needs it is refused; write "
            "weight_processing: none"
        )


@contextmanager
def _refused(before: str, after: str = "") -> Iterator[None]:
    """What TransformerLens trips over, as one line: its reason between two parts of a sentence."""
    try:
        yield
    except _FAULTS as error:
        raise UserError(f"{before}{reason(error)}{after}") from error


def _largest_difference(
    bridge: Any, plain: Any, outs: list[Any], ids: Int[Tensor, "one pos"]
) -> float:
    """How far the two are apart, as a share of the largest value compared."""
    layers = {0, len(outs) - 1} if outs else set()
    inputs: dict[int, Tensor] = {}
    seen: dict[int, Tensor] = {}

    def keep(layer: int, activation: Tensor) -> None:
        inputs[layer] = activation

    def see(layer: int, activation: Tensor, hook: object) -> None:
        seen[layer] = activation.reshape(inputs[layer].shape)

    with hooked(plain, outs, {layer: partial(keep, layer) for layer in layers}):
        wanted = _log_probabilities(plain(input_ids=ids, use_cache=False).logits[0])
    stepped = _plain_step(plain, ids)
    with bridge.hooks(fwd_hooks=[(hook_post(layer), partial(see, layer)) for layer in layers]):
        once = bridge.forward(ids)[0]
    pairs = [(_log_probabilities(once), wanted), (_bridge_step(bridge, plain, ids), stepped)]
    pairs += [(seen[layer], inputs[layer]) for layer in layers]
    return max(difference(got, right) for got, right in pairs)


def _log_probabilities(logits: Float[Tensor, "*pos d_vocab"]) -> Float[Tensor, "*pos d_vocab"]:
    """Processed weights may move all logits alike; these stay."""
    return logits.double().log_softmax(-1)


def _plain_step(plain: Any, ids: Int[Tensor, "one pos"]) -> Float[Tensor, " d_vocab"]:
    """Log-probabilities after the last token, the others in a cache."""
    cache = plain(input_ids=ids[:, :-1], use_cache=True).past_key_values
    stepped = plain(input_ids=ids[:, -1:], past_key_values=cache, use_cache=True)
    return _log_probabilities(stepped.logits[0, -1])


def _bridge_step(bridge: Any, plain: Any, ids: Int[Tensor, "one pos"]) -> Float[Tensor, " d_vocab"]:
    """The same by the bridge."""
    cache = DynamicCache(config=plain.config.get_text_config(decoder=True))
    options = {"return_type": "logits_and_cache", "use_cache": True}
    _, cache = bridge.forward(ids[:, :-1], past_key_values=cache, **options)
    logits, _ = bridge.forward(ids[:, -1:], past_key_values=cache, **options)
    return _log_probabilities(logits[0, -1])
