"""TransformerLens beside Hugging Face: its names for a model's parts, and its bridge where needed.

Texts come from Hugging Face's own model. The bridge gives wrong logits or activations for some
architectures, so it is made only for what asks for it, and compared before it is handed out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from clampsweep.errors import UserError
from clampsweep.names import hook_post

_TOKENS = 12  # of the text that both are compared on

# What a loader for a hundred architectures trips over, where it does not fit one.
FAULTS = (
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
    try:
        sizes = build_bridge_config_from_hf(config, architecture, "model", dtype)
        return ArchitectureAdapterFactory.select_architecture_adapter(sizes)
    except FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{where}: TransformerLens cannot name this model: {reason}") from error


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

    try:
        with _without_installers():
            bridge = TransformerBridge.boot_transformers(
                str(folder), dtype=dtype, device=device, trust_remote_code=False
            )
    except FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{where}: TransformerLens cannot make its bridge of this model: {reason}"
        ) from error
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
    try:
        bridge.enable_compatibility_mode()
    except FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{where}: TransformerLens cannot process this model's weights ({reason}); write "
            "weight_processing: none"
        ) from error


def check_bridge(bridge: Any, plain: Any, outs: list[Any], where: str) -> None:
    """Refuse a bridge that says other things than Hugging Face's own model.

    Log-probabilities are compared, and the post-activations of the first and the last layer, in one
    pass and in one step with a cache.

    Args:
        bridge: Its weights may be processed.
        plain: The model in Hugging Face's class.
        outs: The output projection of each layer's MLP.
        where: Place in the config, for messages.

    Raises:
        UserError: They differ, or the bridge does not run.
    """
    vocabulary = plain.get_input_embeddings().num_embeddings
    ids = torch.arange(1, _TOKENS + 1, device=plain.device)[None] % vocabulary  # [1, pos]
    exact = next(plain.parameters()).dtype in (torch.float32, torch.float64)
    with torch.inference_mode():
        try:
            off = _largest_difference(bridge, plain, outs, ids)
        except FAULTS as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{where}: TransformerLens's bridge does not run this model ({reason}); "
                "write weight_processing: none"
            ) from error
    if not off < (1e-3 if exact else 0.1):
        raise UserError(
            f"{where}: TransformerLens's bridge differs from Hugging Face's own model here (by "
            f"{off:.2g} of the largest value), so what needs it is refused; write "
            "weight_processing: none"
        )


@contextmanager
def _without_installers() -> Iterator[None]:
    """Keep TransformerLens from running pip, or uv, for what some image processors import."""
    offline = {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    before = {name: os.environ.get(name) for name in offline}
    os.environ |= offline
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _largest_difference(
    bridge: Any, plain: Any, outs: list[Any], ids: Int[Tensor, "one pos"]
) -> float:
    """How far the two are apart, as a share of the largest value compared."""
    layers = [0, len(outs) - 1]
    inputs: dict[int, Tensor] = {}
    seen: dict[int, Tensor] = {}

    def keep(layer: int) -> Any:
        return lambda module, args: inputs.__setitem__(layer, args[0].reshape(ids.shape[1], -1))

    def see(layer: int) -> Any:
        return lambda value, hook: seen.__setitem__(layer, value.reshape(ids.shape[1], -1))

    handles = [outs[layer].register_forward_pre_hook(keep(layer)) for layer in layers]
    try:
        wanted = _log_probabilities(plain(input_ids=ids, use_cache=False).logits[0])
    finally:
        for handle in handles:
            handle.remove()
    stepped = _plain_step(plain, ids)
    with bridge.hooks(fwd_hooks=[(hook_post(layer), see(layer)) for layer in layers]):
        once = bridge.forward(ids)[0]
    pairs = [(_log_probabilities(once), wanted), (_bridge_step(bridge, plain, ids), stepped)]
    pairs += [(seen[layer], inputs[layer]) for layer in layers]
    return max(float((got - right).abs().max() / right.abs().max()) for got, right in pairs)


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
