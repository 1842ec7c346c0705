"""How well a swap moves an attribute and leaves the others: cause, isolate, and their mean.

An output is the likeliest token behind the prompt. `cause` is the share of cause pairs whose output
becomes the first token of the source's answer; `isolate`, of isolate pairs, the share whose output
stays that of the base's, averaged over the attributes that are asked; the score is half of their
sum (disentangle, arXiv 2402.17700, section 3.4). No swap at all scores 0.5 (0 and 1), and so does a
whole vector that carries everything (1 and 0): a method is held against 0.5, not against 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from clampsweep.decoder.final_norm import wide
from clampsweep.models.hooks import PostHook, hooked
from clampsweep.models.model import Model
from clampsweep.names import RESID_POST
from clampsweep.studies.steering.ravel_methods import Method
from clampsweep.studies.steering.ravel_pairs import CAUSE, ISOLATE
from clampsweep.studies.steering.ravel_runs import Held
from clampsweep.tables import Column, Schema

ALL = "all"  # mean of the targets
_ROWS = 64  # swaps in one pass

_NAMES = {
    "kind": Column("str", "city or verb"),
    "layer": Column("int", "layer after which it is swapped"),
    "method": Column("str", "such as das, sae, full, random_subspace"),
}
RAVEL_SWAPS = Schema(
    "steering RAVEL swaps",
    {
        **_NAMES,
        "target": Column("str", "attribute that is swapped"),
        "aim": Column("str", "cause or isolate"),
        "pair": Column("int", "number of the pair of test entities"),
        "asked": Column("str", "attribute that is asked for"),
        "base": Column("str", "entity that is asked about"),
        "hit": Column("bool", "whether the output is what the aim asks for"),
        "said": Column("int", "the likeliest token behind the prompt"),
        "lp_base": Column("float", "log-probability of the base's answer's first token, nats"),
        "lp_source": Column("float", "the same of the source's"),
        "size": Column("int", "dimensions, features or coordinates swapped; 0 of all"),
    },
    key=("kind", "layer", "method", "target", "aim", "pair"),
)
RAVEL_SCORES = Schema(
    "steering RAVEL scores",
    {
        **_NAMES,
        "attribute": Column("str", "that is swapped; all: mean of these"),
        "size": Column("int", "dimensions, features or coordinates swapped; the most, of all"),
        "cause": Column("float", "share of outputs that become the source's, 0..1"),
        "isolate": Column("float", "share of outputs about other attributes that stay, 0..1"),
        "score": Column("float", "half of their sum"),
        "n": Column("int", "base entities"),
        "n_pairs": Column("int", "pairs, of both aims"),
        "low": Column("float", "95 % interval of the score over base entities, lower end"),
        "high": Column("float", "the same, upper end"),
    },
    key=("kind", "layer", "method", "attribute"),
)


def swap_rows(
    held: Held,
    number_of: Mapping[tuple[str, str], int],
    pairs: pd.DataFrame,
    methods: Mapping[str, Sequence[Method]],
) -> pd.DataFrame:
    """The table `RAVEL_SWAPS`: every pair under every method of its target.

    Args:
        held: Prompts at the layer.
        number_of: By entity and template, the number of the prompt there.
        pairs: Rows of `RAVEL_PAIRS` of one kind.
        methods: By target.
    """
    rows: list[dict[str, Any]] = []
    for target, own in pairs.groupby("target", sort=False):
        records = own.to_dict("records")
        shapes: dict[int, list[dict[Any, Any]]] = {}
        for row in records:
            base = number_of[row["base"], row["template"]]
            shapes.setdefault(held.shape(base), []).append(row)
        for some in shapes.values():
            for start in range(0, len(some), _ROWS):
                part = some[start : start + _ROWS]
                for method in methods[str(target)]:
                    rows += _swapped(held, number_of, part, method)
    return pd.DataFrame(rows)[list(RAVEL_SWAPS.columns)]


def _swapped(
    held: Held,
    number_of: Mapping[tuple[str, str], int],
    part: Sequence[Mapping[Any, Any]],
    method: Method,
) -> Iterator[dict[str, Any]]:
    """Rows of some pairs of one shape."""
    bases = [number_of[row["base"], row["template"]] for row in part]
    sources = [number_of[row["source"], row["source_template"]] for row in part]
    with torch.no_grad():
        logits = wide(held.swapped(bases, mixed(held, bases, sources, method)))
        lp, said = logits.log_softmax(-1), logits.argmax(-1).tolist()
    for at, row in enumerate(part):
        wanted = row["source_token"] if row["aim"] == CAUSE else row["base_token"]
        yield {
            **{name: row[name] for name in ("kind", "target", "aim", "pair", "asked", "base")},
            "layer": held.layer,
            "method": method.name,
            "size": method.size,
            "hit": said[at] == wanted,
            "said": said[at],
            "lp_base": float(lp[at, row["base_token"]]),
            "lp_source": float(lp[at, row["source_token"]]),
        }


def mixed(
    held: Held, bases: Sequence[int], sources: Sequence[int], method: Method
) -> Float[Tensor, "row d_model"]:
    """The residual stream after the layer, of bases with the source's part swapped in.

    What neurons change goes through the layer's output projection.

    Args:
        held: Prompts at the layer.
        bases: Numbers of prompts.
        sources: The same.
        method: What is swapped.
    """
    own, other = (held.vectors[method.point][list(some)] for some in (bases, sources))
    swapped = method.swap(own, other)
    if method.point == RESID_POST:
        return swapped
    out = held.model.outs[held.layer]
    moved: Tensor = out(swapped[:, None]) - out(own[:, None])  # [row, 1, d_model]
    return held.vectors[RESID_POST][list(bases)] + moved[:, 0]


def writes_plainly(model: Model, layer: int) -> bool:
    """Whether what a layer's neurons write is added to the residual stream as it is.

    Tried with one neuron; where a norm or a factor follows the projection it is not, and
    `MLP_POST` is no place to swap at.

    Args:
        model: Loaded model.
        layer: The layer.
    """
    if not model.d_mlp:
        return False
    ids = torch.arange(4, device=model.device)[None]
    seen: list[Tensor] = []
    step = torch.zeros(1, 1, model.d_model, device=model.device, dtype=model.dtype)

    def run(after: Mapping[int, PostHook]) -> None:
        residual = {model.part(f"blocks.{layer}"): seen.append}
        with torch.no_grad(), hooked(model.plain, model.outs, {}, after, residual):
            model.plain(input_ids=ids, use_cache=False)

    run({})
    step[..., 0] = seen[0].abs().max()
    run({layer: lambda output: output + step})
    return float((seen[1] - seen[0] - step).abs().max()) < 1e-3 * float(step.max())


class _Shares(NamedTuple):
    """Cause, isolate and score, of every draw of entities."""

    cause: Float64[np.ndarray, " draw"]
    isolate: Float64[np.ndarray, " draw"]

    @property
    def score(self) -> Float64[np.ndarray, " draw"]:
        return np.asarray((self.cause + self.isolate) / 2)


def scores(swaps: pd.DataFrame, n_resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """The table `RAVEL_SCORES`: each method and target, and the mean of the targets.

    Base entities are drawn with replacement, the same ones for all targets and methods; a draw
    without a pair of some kind is left out. Entities also return as sources, which no draw shows.

    Args:
        swaps: Rows of `RAVEL_SWAPS` of one kind and layer.
        n_resamples: Draws.
        seed: Of the draws.
    """
    entities = sorted(swaps["base"].unique())
    even = np.full(len(entities), 1 / len(entities))
    drawn = np.random.default_rng(seed).multinomial(len(entities), even, n_resamples)
    weights = np.concatenate([np.ones((1, len(entities))), drawn])  # first all as they are
    rows = []
    for method, of_method in swaps.groupby("method", sort=False):
        found = {
            str(target): _shares(own, entities, weights)
            for target, own in of_method.groupby("target", sort=False)
        }
        rows += [
            _row(of_method[of_method["target"] == target], str(method), target, shares)
            for target, shares in found.items()
        ]
        both = (np.mean([one[at] for one in found.values()], axis=0) for at in range(2))
        rows.append(_row(of_method, str(method), ALL, _Shares(*both)))
    return pd.DataFrame(rows)[list(RAVEL_SCORES.columns)]


def _shares(
    own: pd.DataFrame, entities: Sequence[str], weights: Float64[np.ndarray, "draw entity"]
) -> _Shares:
    """Shares of a method and target under each draw."""
    place = {entity: at for at, entity in enumerate(entities)}

    def share(rows: pd.DataFrame) -> Float64[np.ndarray, " draw"]:
        at = rows["base"].map(place).to_numpy(dtype=int)
        hits = np.bincount(at, rows["hit"].to_numpy(dtype=float), len(entities))
        wholes = np.bincount(at, minlength=len(entities)).astype(float)
        with np.errstate(invalid="ignore"):  # 0 / 0 is nan, and left out
            found: Float64[np.ndarray, " draw"] = (weights @ hits) / (weights @ wholes)
        return found

    others = own[own["aim"] == ISOLATE]
    by_asked = [share(some) for _, some in others.groupby("asked")]
    isolate = np.mean(by_asked, axis=0) if by_asked else np.full(len(weights), np.nan)
    return _Shares(share(own[own["aim"] == CAUSE]), np.asarray(isolate))


def _row(own: pd.DataFrame, method: str, attribute: str, shares: _Shares) -> dict[str, Any]:
    low, high = np.nanquantile(shares.score[1:], [0.025, 0.975])
    return {
        "kind": own["kind"].iloc[0],
        "layer": own["layer"].iloc[0],
        "method": method,
        "attribute": attribute,
        "size": int(own["size"].max()),
        "cause": float(shares.cause[0]),
        "isolate": float(shares.isolate[0]),
        "score": float(shares.score[0]),
        "n": own["base"].nunique(),
        "n_pairs": len(own),
        "low": float(low),
        "high": float(high),
    }
