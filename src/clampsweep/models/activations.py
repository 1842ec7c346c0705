"""What a model computes at hook points over given token sequences, handed on and not kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.errors import whole
from clampsweep.models.hook_points import reader
from clampsweep.models.hugging_face import n_rows
from clampsweep.models.model import Model
from clampsweep.models.tokens import check_sequences
from clampsweep.names import MLP_POST, HookPoint, Neuron, hook_points


def newest_logits_only(model: Model) -> dict[str, Tensor]:
    """What tells a model to compute the newest position's logits only, if it can be told.

    As an index: of a number, Gemma 4 concludes that some layers need not run at other positions.
    """
    if not model.plain._supports_logits_to_keep():
        return {}
    return {"logits_to_keep": torch.tensor([-1], device=model.device)}


def logits_at(
    plain: Any, inputs: Mapping[str, Tensor], places: Int[Tensor, " place"]
) -> Float[Tensor, "row place d_vocab"]:
    """Logits behind some places of every row of a pass; no others are computed, if it can be so.

    Args:
        plain: A model in Hugging Face's class.
        inputs: What it is given, by keyword.
        places: Positions, from 0, or from -1 backwards.
    """
    if plain._supports_logits_to_keep():
        found: Tensor = plain(**inputs, use_cache=False, logits_to_keep=places).logits
    else:
        found = plain(**inputs, use_cache=False).logits[:, places]
    return found


def stream(
    model: Model,
    sequences: Sequence[Sequence[int]],
    points: Sequence[HookPoint],
    receive: Callable[[list[int], HookPoint, Tensor], None],
    rows_per_forward: int = 32,
) -> Iterator[int]:
    """Run sequences through the model, handing what is at each hook point to `receive`.

    Sequences of equal length run together, so nothing is padded, and nothing is kept.

    Args:
        model: Loaded model.
        sequences: Token ids.
        points: Hook points wanted.
        receive: Called with the sequences' numbers, the hook point and [row, pos, width] there; of
            an attention pattern [row, query, head, key].
        rows_per_forward: Most sequences in one pass.

    Yields:
        Number of sequences done by each pass.

    Raises:
        UserError: A hook point cannot be read in this model.
        TypeError: A sequence is no token ids, or a hook point none.
        ValueError: A sequence is empty or longer than the context, or a token is not the model's.
    """
    sequences = check_sequences("sequences", sequences, n_rows(model.plain), model.n_ctx)
    whole("rows_per_forward", rows_per_forward, 1)
    by_length: dict[int, list[int]] = {}
    for number, sequence in enumerate(sequences):
        by_length.setdefault(len(sequence), []).append(number)
    found, keep = reader(model, points), newest_logits_only(model)
    for _, numbers in sorted(by_length.items()):
        for start in range(0, len(numbers), rows_per_forward):
            part = numbers[start : start + rows_per_forward]
            tokens = torch.tensor([sequences[n] for n in part], device=model.device)
            with torch.inference_mode(), found.reading(partial(receive, part)):
                found.plain(input_ids=tokens, use_cache=False, **keep)
            yield len(part)


def traces(
    model: Model, sequences: Sequence[Sequence[int]], neurons: Sequence[Neuron]
) -> list[dict[Neuron, tuple[float, ...]]]:
    """Natural values of some neurons at every position of each sequence, in activation units.

    Raises:
        TypeError: A neuron is none, or a sequence no token ids.
        ValueError: The model has no such neuron, or a sequence is not one of its own.
    """
    for neuron in neurons:
        model.check_neuron(neuron)
    found: list[dict[Neuron, tuple[float, ...]]] = [{} for _ in sequences]

    def receive(numbers: list[int], point: HookPoint, activation: Tensor) -> None:
        for neuron in neurons:
            if neuron.layer == point.layer:
                values = activation[:, :, neuron.index].double().cpu().tolist()
                for number, row in zip(numbers, values, strict=True):
                    found[number][neuron] = tuple(row)

    layers = sorted({neuron.layer for neuron in neurons})
    for _ in stream(model, sequences, hook_points(MLP_POST, layers), receive):
        pass
    return found
