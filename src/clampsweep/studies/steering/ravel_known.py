"""What a model knows of RAVEL: which right answers it says by itself, greedily, token by token.

What a model does not know cannot be moved, so that entities are filtered before anything is
compared (arXiv 2402.17700, section 3.2). An item is known if the most likely token behind the
prompt, and behind each token of the answer, is the answer's next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from clampsweep.decoder.final_norm import wide
from clampsweep.models.model import Model
from clampsweep.studies.steering.ravel_data import Ravel, Template, items
from clampsweep.studies.steering.ravel_prompts import Asked, Weights, asked, behind
from clampsweep.tables import Column, Schema

RAVEL_KNOWN = Schema(
    "steering RAVEL known",
    {
        "kind": Column("str", "city or verb"),
        "entity": Column("str", "the entity"),
        "split": Column("str", "of the entity: train, val or test"),
        "attribute": Column("str", "what is asked"),
        "template": Column("str", "the prompt, %s where the entity stands"),
        "prompt_split": Column("str", "of the prompt"),
        "answer": Column(
            "str", "the likeliest of the right answers, as it stands behind the prompt"
        ),
        "token": Column("int", "id of its first token"),
        "lp_first": Column("float", "log-probability of that token, nats"),
        "lp_other": Column(
            "float",
            "the highest of a first token of other entities' answers that is not of a right one, "
            "nats; null if there is none",
            null=True,
        ),
        "lp_answer": Column(
            "float", "of the whole answer, nats; null where its first token is not said", null=True
        ),
        "said": Column("str", "the likeliest token behind the prompt"),
        "known": Column("bool", "whether the answer is what the model says, greedily"),
    },
    key=("kind", "entity", "attribute", "template"),
)


class Known(NamedTuple):
    """What a model was asked, and what that took.

    Attributes:
        table: Rows of `RAVEL_KNOWN`.
        flops: Floating-point operations, at most: what prompts share is read once.
    """

    table: pd.DataFrame
    flops: float


def find_known(
    model: Model,
    ravel: Ravel,
    entities: Sequence[str],
    templates: Mapping[str, Sequence[Template]],
    *,
    staged: bool = False,
) -> Known:
    """The table `RAVEL_KNOWN` of some entities.

    Args:
        model: Loaded model.
        ravel: Of one kind of entity.
        entities: Names of entities.
        templates: By attribute, the prompts that ask for it.
        staged: Whether an entity is asked for no further attribute once it is known not to know
            one. To filter takes least if the attribute that is known least comes first.
    """
    weights, parts, flops, going = Weights.of(model), [], 0.0, list(entities)
    for some in templates.values():
        found = asked(model, items(ravel, going, some))
        rows, more, heads = _judged(model, found)
        parts.append(pd.DataFrame(rows, columns=list(RAVEL_KNOWN.columns)).assign(kind=ravel.kind))
        tokens = sum(len(one.ids) for one in found) + more
        flops += weights.flops(tokens, model.n_layers, len(found) + heads)
        if staged:
            known = set(parts[-1].loc[parts[-1]["known"].astype(bool), "entity"])
            going = [entity for entity in going if entity in known]
    table = pd.concat(parts, ignore_index=True).astype(
        {"token": "int64", "known": bool, "lp_other": float, "lp_answer": float}
    )
    return Known(table[list(RAVEL_KNOWN.columns)], flops)


def knowing(table: pd.DataFrame, attributes: Iterable[str]) -> list[str]:
    """Entities of which the model knows every one of some attributes, under one prompt at least.

    Args:
        table: Rows of `RAVEL_KNOWN` of one kind.
        attributes: The attributes.
    """
    own = table[table["known"]]
    sets = [set(own.loc[own["attribute"] == one, "entity"]) for one in attributes]
    return sorted(set.intersection(*sets)) if sets else []


class _Judged(NamedTuple):
    rows: list[dict[str, Any]]
    tokens: int  # that were read once more
    heads: int  # positions that were unembedded there


def _judged(model: Model, found: Sequence[Asked]) -> _Judged:
    """Rows of items; where the first token of an answer is said, the rest of it is tried."""
    firsts = {ids[0] for one in found for ids in one.answers}
    rows: list[dict[str, Any]] = [{} for _ in found]
    for number, logits in behind(model, [one.ids for one in found], [1] * len(found)):
        rows[number] = _first(model, found[number], wide(logits[0]), firsts)
    tried = [number for number, row in enumerate(rows) if row["known"]]
    wholes = []
    for number in tried:
        one = found[number]
        wholes.append(one.answers[one.item.answers.index(rows[number]["answer"])])
    sequences = [
        [*found[number].ids, *whole[:-1]] for number, whole in zip(tried, wholes, strict=True)
    ]
    for at, logits in behind(model, sequences, [len(whole) for whole in wholes]):
        row, ids = rows[tried[at]], torch.tensor(wholes[at], device=logits.device)
        lp = wide(logits).log_softmax(-1).gather(1, ids[:, None])  # [pos, 1]
        row["lp_answer"] = float(lp.sum())
        row["known"] = bool((logits.argmax(-1) == ids).all())
    return _Judged(rows, sum(map(len, sequences)), sum(map(len, wholes)))


def _first(
    model: Model, one: Asked, logits: Float[Tensor, " d_vocab"], firsts: set[int]
) -> dict[str, Any]:
    """A row, as far as the first token behind the prompt tells; `known` is what is still open."""
    lp, item = logits.log_softmax(-1), one.item
    right = [ids[0] for ids in one.answers]
    best = max(range(len(right)), key=lambda at: float(lp[right[at]]))
    others = sorted(firsts - set(right))
    said = int(lp.argmax())
    return {
        "entity": item.entity,
        "split": item.split,
        "attribute": item.attribute,
        "template": item.template.text,
        "prompt_split": item.template.split,
        "answer": item.answers[best],
        "token": right[best],
        "lp_first": float(lp[right[best]]),
        "lp_other": float(lp[others].max()) if others else None,
        "lp_answer": None,
        "said": model.decode([said], one.ids),
        "known": said == right[best],
    }
