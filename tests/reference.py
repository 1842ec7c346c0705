"""The plain decoder that the engine is held against: one prompt, one step, the whole text again.

Shares nothing with `clampsweep.decoder`: every step runs Hugging Face's model on the full sequence,
without a cache, in a batch of one, under a hook written here. Beside it stand sampling by
transformers' own code, and which tokens a decoder that shares trajectories must feed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from clampsweep.models.directions import random_direction
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding


@dataclass(frozen=True)
class Clamp:
    """One neuron, one operation."""

    neuron: Neuron
    operation: str
    value: float | None = None
    donor: tuple[float, ...] = ()

    def new_value(self, natural: float, position: int) -> float:
        """What the neuron's value becomes at a position."""
        return {
            "set": lambda: self.value,
            "mean": lambda: self.value,
            "add": lambda: natural + self.value,
            "scale": lambda: natural * self.value,
            "zero": lambda: 0.0,
            "resample": lambda: self.donor[position % len(self.donor)],
        }[self.operation]()


@dataclass
class Text:
    """What a reference run produced, and the newest position's activations, step by step."""

    token_ids: list[int] = field(default_factory=list)
    stop_reason: str = "max_new_tokens"
    margins: list[float] = field(default_factory=list)
    before: dict[int, list[Any]] = field(default_factory=dict)
    after: dict[int, list[Any]] = field(default_factory=dict)
    pushed: dict[int, list[tuple[Neuron, int, float]]] = field(default_factory=dict)


def covers(scope: str, position: int, n_prompt: int, length: int) -> bool:
    """Whether a scope changes a position of a sequence that is `length` long by now."""
    if scope[0].isdigit():
        return str(position) in scope.split(",")
    return {
        "all": True,
        "prompt": position < n_prompt,
        "generated": position >= n_prompt,
        "last": position == length - 1,
        "last_cached": position >= n_prompt - 1,
    }[scope]


def decode_alone(
    model: Model,
    prompt: Sequence[int],
    clamps: Sequence[Clamp],
    scope: str,
    n_new: int,
    pick: Callable[[torch.Tensor, int], int] = lambda logits, step: int(logits.argmax()),
    stop_strings: Sequence[str] = (),
) -> Text:
    """The text that a prompt becomes; `pick` chooses from the logits of a step."""
    text = Text()
    with torch.inference_mode(), _hooked(model, clamps, scope, len(prompt), text):
        while True:
            tokens = [*prompt, *text.token_ids]
            logits = model.plain(torch.tensor([tokens]), use_cache=False).logits[0, -1]
            said = model.tokenizer.decode(text.token_ids, skip_special_tokens=False)
            if any(one in said for one in stop_strings):
                text.stop_reason = "stop_string"
                return text
            if len(text.token_ids) == n_new:
                return text
            if len(tokens) == model.n_ctx:
                text.stop_reason = "context"
                return text
            high = logits.sort(descending=True).values
            text.margins.append(float(high[0] - high[1]))
            token = pick(logits, len(text.token_ids))
            if token in model.eos_ids:
                text.stop_reason = "eos"
                return text
            text.token_ids.append(token)


@contextmanager
def _hooked(
    model: Model, clamps: Sequence[Clamp], scope: str, n_prompt: int, text: Text
) -> Iterator[None]:
    handles = []
    for layer in range(model.n_layers):
        out = output_projection(model, layer)
        hook = _hook(layer, clamps, scope, n_prompt, text)
        if model.processed:  # the bridge's own hook point: it may go round the projection
            point = out.hook_in
            handles.append(point.register_forward_hook(lambda module, args, _, h=hook: h(args[0])))
        else:
            handles.append(out.register_forward_pre_hook(lambda module, args, h=hook: h(args[0])))
        point = out.hook_out if model.processed else out
        handles.append(point.register_forward_hook(_push(model, layer, text)))
    yield
    for handle in handles:
        handle.remove()


_ENDS = ("mlp.c_proj", "mlp.down_proj", "mlp.dense_4h_to_h", "fc2")


def output_projection(model: Model, layer: int) -> torch.nn.Module:
    """The module whose input is a layer's post-activation, found by its name."""
    ends = tuple(f".{layer}.{end}" for end in _ENDS)
    return next(  # of processed weights, the outermost of several by that name
        module
        for name, module in model.plain.named_modules()
        if name.replace("._original_component", "").endswith(ends)
    )


def _hook(
    layer: int, clamps: Sequence[Clamp], scope: str, n_prompt: int, text: Text
) -> Callable[[torch.Tensor], torch.Tensor]:
    def hook(given: torch.Tensor) -> torch.Tensor:
        activation = given.view(1, -1, given.shape[-1])  # OPT drops the axis of rows
        changed = activation.clone()
        length = activation.shape[1]
        text.pushed[layer] = []
        for clamp in clamps:
            for position in range(length):
                if clamp.neuron.layer == layer and covers(scope, position, n_prompt, length):
                    at = (0, position, clamp.neuron.index)
                    new = clamp.new_value(float(activation[at]), position)
                    if clamp.neuron.direction < 0:
                        changed[at] = new
                    else:
                        far = new - float(activation[at])
                        text.pushed[layer].append((clamp.neuron, position, far))
        if text.token_ids:
            text.before.setdefault(layer, []).append(activation[0, -1].clone())
            text.after.setdefault(layer, []).append(changed[0, -1].clone())
        return changed.view_as(given)

    return hook


def _push(model: Model, layer: int, text: Text) -> Callable[..., torch.Tensor]:
    """What changes of a layer sent along random directions add to what W_out gives."""

    def hook(module: object, args: object, output: torch.Tensor) -> torch.Tensor:
        moved = output.clone()
        width = output.shape[-1]
        for neuron, position, far in text.pushed[layer]:
            direction = torch.from_numpy(random_direction(layer, neuron.direction, width))
            moved.view(-1, width)[position] += (
                far * w_out(model, neuron).norm() * direction.to(output)
            )
        return moved

    return hook


def w_out(model: Model, neuron: Neuron) -> torch.Tensor:
    """Output weights of a neuron, from the stored matrix, whichever way it lies."""
    (matrix,) = [
        weight.detach()
        for name, weight in model.plain.named_parameters()
        if name.endswith(tuple(f".{neuron.layer}.{end}.weight" for end in _ENDS))
    ]
    by_row = model.plain.config.model_type == "gpt2"
    return matrix[neuron.index] if by_row else matrix[:, neuron.index]


_BLOCKS = {"gpt2": "transformer.h.{}", "llama": "model.layers.{}", "gpt_neox": "gpt_neox.layers.{}"}


def block(plain: Any, layer: int) -> torch.nn.Module:
    """A layer's own module, by its family's names."""
    found: torch.nn.Module = plain.get_submodule(_BLOCKS[plain.config.model_type].format(layer))
    return found


@contextmanager
def moved(model: Model, layer: int, step: np.ndarray) -> Iterator[None]:
    """The model with a step [d_model] added to what a layer's own module gives, everywhere."""

    def after(module: object, args: object, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        further = first + torch.from_numpy(step).to(first)
        return (further, *output[1:]) if isinstance(output, tuple) else further

    handle = block(model.plain, layer).register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


# Families that `tiny` does not make, and their sizes where these have names of their own.
_FAMILIES: dict[str, dict[str, Any]] = {
    "bloom": {"n_layer": 3, "n_head": 4},
    "gemma": {
        "num_hidden_layers": 3,
        "intermediate_size": 96,
        "num_key_value_heads": 2,
        "head_dim": 8,
    },
    "olmo": {"num_hidden_layers": 3, "intermediate_size": 96},
    "opt": {"num_hidden_layers": 3, "ffn_dim": 96, "word_embed_proj_dim": 24},
}


def other_weights(architecture: str) -> tuple[Any, dict[str, Any]]:
    """Random weights of another family, and the fields of its `ModelSpec` that differ."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"hidden_size": 24, "num_attention_heads": 4, "max_position_embeddings": 64}
    ids = {"vocab_size": 272, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None}
    config = AutoConfig.for_model(architecture, **sizes, **ids, **_FAMILIES[architecture])
    model: Any = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.normal_(0, 2 * weight.shape[1] ** -0.5)
    return model, {"name": f"tiny-{architecture}", "d_mlp": 96}


_PROJECTION = {
    "gpt2": lambda model, layer: model.transformer.h[layer].mlp.c_proj,
    "llama": lambda model, layer: model.model.layers[layer].mlp.down_proj,
    "gemma": lambda model, layer: model.model.layers[layer].mlp.down_proj,
    "opt": lambda model, layer: model.model.decoder.layers[layer].fc2,
    "gpt_neox": lambda model, layer: model.gpt_neox.layers[layer].mlp.dense_4h_to_h,
}


def post_activations(hugging_face: Any, tokens: Sequence[int]) -> list[torch.Tensor]:
    """Input of each layer's MLP output projection [pos, d_mlp], by Hugging Face's model alone."""
    found: list[torch.Tensor] = []
    projection = _PROJECTION[hugging_face.config.model_type]
    handles = [
        projection(hugging_face, layer).register_forward_pre_hook(
            lambda module, args: found.append(args[0][0].clone())
        )
        for layer in range(hugging_face.config.num_hidden_layers)
    ]
    with torch.inference_mode():
        hugging_face(torch.tensor([list(tokens)]))
    for handle in handles:
        handle.remove()
    return found


def logits_alone(
    hugging_face: Any, tokens: Sequence[int], n_prompt: int, clamps: Sequence[Clamp], scope: str
) -> torch.Tensor:
    """Logits of the next token [d_vocab], by Hugging Face's model alone with hooks made here."""

    n_layers = hugging_face.config.num_hidden_layers
    pushed: list[list[tuple[Neuron, int, float]]] = [[] for _ in range(n_layers)]

    def before(layer: int) -> Callable[..., tuple[torch.Tensor]]:
        own = [clamp for clamp in clamps if clamp.neuron.layer == layer]

        def at_projection(module: object, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
            natural = args[0].reshape(len(tokens), -1)  # [pos, d_mlp], with or without a batch
            changed = natural.clone()
            for clamp in own:
                for position in range(len(tokens)):
                    if covers(scope, position, n_prompt, len(tokens)):
                        at = (position, clamp.neuron.index)
                        new = clamp.new_value(float(natural[at]), position)
                        if clamp.neuron.direction < 0:
                            changed[at] = new
                        else:
                            far = new - float(natural[at])
                            pushed[layer].append((clamp.neuron, position, far))
            return (changed.reshape(args[0].shape),)

        return at_projection

    def after(layer: int) -> Callable[..., torch.Tensor]:
        def at_output(module: Any, args: object, output: torch.Tensor) -> torch.Tensor:
            by_row = hugging_face.config.model_type == "gpt2"
            w_out = module.weight if by_row else module.weight.T  # [d_mlp, d_model]
            moved = output.clone()
            for neuron, position, far in pushed[layer]:
                direction = random_direction(layer, neuron.direction, w_out.shape[1])
                push = far * w_out[neuron.index].norm() * torch.from_numpy(direction)
                moved.view(len(tokens), -1)[position] += push.to(moved)
            return moved

        return at_output

    projection = _PROJECTION[hugging_face.config.model_type]
    handles = []
    for layer in range(n_layers):
        module = projection(hugging_face, layer)
        handles.append(module.register_forward_pre_hook(before(layer)))
        handles.append(module.register_forward_hook(after(layer)))
    with torch.inference_mode():
        found: torch.Tensor = hugging_face(torch.tensor([list(tokens)])).logits[0, -1]
    for handle in handles:
        handle.remove()
    return found


def nodes(
    prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[int]], n: int
) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The distinct pairs of a prompt and a text's first n tokens, of texts that are so long."""
    return {
        (tuple(prompt), tuple(text[:n]))
        for prompt, text in zip(prompts, texts, strict=True)
        if len(text) >= n
    }


# Sampling

SAMPLED = (
    Decoding("sample", 7, temperature=2.5),
    Decoding("sample", 7, temperature=0.7),
    Decoding("sample", 7, temperature=2.5, top_k=5),
    Decoding("sample", 7, temperature=2.5, top_p=0.8),
    Decoding("sample", 7, temperature=1.3, top_k=12, top_p=0.6),
    Decoding("sample", 7, temperature=1.3, top_k=10_000, top_p=1.0),
)


def warped(logits: torch.Tensor, decoding: Decoding) -> np.ndarray:
    """Probabilities after temperature, top-k and top-p, in transformers' order and by its code."""
    scores = TemperatureLogitsWarper(float(decoding.temperature))(None, logits[None].double())
    if decoding.top_k is not None:
        scores = TopKLogitsWarper(decoding.top_k)(None, scores)
    if decoding.top_p is not None:
        scores = TopPLogitsWarper(decoding.top_p)(None, scores)
    return scores.softmax(-1)[0].numpy()


def noise(stream: Sequence[int], step: int, n_vocab: int) -> list[float]:
    """Standard Gumbel noise of a stream at a step, token by token."""
    seeds = np.random.SeedSequence([*stream, step])
    generator = np.random.Generator(np.random.Philox(seeds))
    return [-math.log(one) for one in generator.standard_exponential(n_vocab).tolist()]


def draw(logits: torch.Tensor, noises: Sequence[float], decoding: Decoding) -> int:
    """Token that is kept and has the highest sum of log-probability and noise."""
    found, highest = -1, -math.inf
    for token, chance in enumerate(warped(logits, decoding).tolist()):
        if chance > 0 and math.log(chance) + noises[token] > highest:
            found, highest = token, math.log(chance) + noises[token]
    return found
