"""Pairs of a base and a source that RAVEL's interventions are tried on.

Of a target attribute, a `cause` pair asks the base for the target: with the source's value of it
swapped in, the source's answer should come. An `isolate` pair asks the base for another attribute:
the base's own answer should stay. In both, base and source differ in the target and in what is
asked, by the first token of the answers, which is what outputs are judged by.

Sources are drawn by answer and then by entity, so that the commonest answers do not crowd out the
others (arXiv 2402.17700, appendix B).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from clampsweep.errors import UserError
from clampsweep.studies.steering.ravel_data import SPLITS
from clampsweep.tables import Column, Schema

CAUSE, ISOLATE = KINDS = ("cause", "isolate")
SAME, OTHER = SOURCES = ("same", "other")  # whether the source's prompt asks what the base's does

RAVEL_PAIRS = Schema(
    "steering RAVEL pairs",
    {
        "kind": Column("str", "city or verb"),
        "split": Column("str", "of both entities: train, val or test"),
        "target": Column("str", "attribute that is swapped"),
        "aim": Column("str", "cause: the source's answer should come; isolate: the base's stay"),
        "pair": Column("int", "number, from 0"),
        "asked": Column("str", "attribute that the base's prompt asks for"),
        "base": Column("str", "entity that is asked about"),
        "template": Column("str", "the base's prompt, %s where the entity stands"),
        "source": Column("str", "entity whose value is swapped in"),
        "source_template": Column("str", "prompt that the source's vector is taken from"),
        "base_token": Column("int", "first token of the base's answer to what is asked"),
        "source_token": Column("int", "the same of the source's answer behind the same prompt"),
    },
    key=("kind", "split", "target", "aim", "pair"),
)


class _Answers(NamedTuple):
    """What the model knows of the entities of a split.

    Attributes:
        token: By entity and template, the first token of the answer.
        templates: By attribute and entity, the templates under which it is known.
        asks: By template, its attribute.
    """

    token: Mapping[tuple[str, str], int]
    templates: Mapping[str, Mapping[str, list[str]]]
    asks: Mapping[str, str]

    @classmethod
    def of(cls, known: pd.DataFrame, attributes: Sequence[str]) -> _Answers:
        templates: dict[str, dict[str, list[str]]] = {name: {} for name in attributes}
        for row in known.to_dict("records"):
            own = templates[row["attribute"]].setdefault(row["entity"], [])
            own.append(str(row["template"]))
        pairs = zip(known["entity"], known["template"], strict=True)
        tokens = {key: int(token) for key, token in zip(pairs, known["token"], strict=True)}
        asks = dict(zip(known["template"], known["attribute"], strict=True))
        return cls(tokens, templates, asks)

    def differ(self, attribute: str, one: str, other: str) -> bool:
        """Whether two entities share prompts, and nowhere there an answer's first token."""
        own, others = self.templates[attribute][one], self.templates[attribute][other]
        shared = set(own) & set(others)
        return bool(shared) and all(
            self.token[one, text] != self.token[other, text] for text in shared
        )


def pairs(
    known: pd.DataFrame,
    attributes: Sequence[str],
    split: str,
    n: int,
    seed: int,
    sources: Sequence[str] = (SAME,),
) -> pd.DataFrame:
    """The table `RAVEL_PAIRS` of a split: for each target and each aim at most so many pairs.

    Bases are taken in turn, each as often as the next, give or take one; those of `isolate` for
    each other attribute in turn.

    Args:
        known: Rows of `RAVEL_KNOWN` of one kind.
        attributes: Attributes that are targets and are asked for; two at least.
        split: Of the entities.
        n: Pairs of each target and aim.
        seed: Of the draws.
        sources: Which prompts sources stand in, drawn by lot: the base's, or one that asks for
            another attribute.

    Raises:
        UserError: Too little is known to pair anything for a target.
        ValueError: There are fewer than two attributes, or there is no such source.
    """
    if len(attributes) < 2 or any(one not in SOURCES for one in sources) or not sources:
        allowed = ", ".join(SOURCES)
        raise ValueError(f"got attributes {attributes}, sources {sources}; 2 or more, of {allowed}")
    own = known[known["known"] & known["attribute"].isin(attributes) & (known["split"] == split)]
    has = own.groupby("entity")["attribute"].nunique()
    entities = sorted(has.index[has == len(attributes)])
    answers = _Answers.of(own[own["entity"].isin(entities)], attributes)
    rows: list[dict[str, Any]] = []
    for number, target in enumerate(attributes):
        others = [name for name in attributes if name != target]
        for aim, questions in ((CAUSE, [target]), (ISOLATE, others)):
            place = SPLITS.index(split), number, KINDS.index(aim)
            rng = np.random.default_rng([seed, *place])
            drawn = list(_drawn(answers, entities, target, questions, n, sources, rng))
            if not drawn:
                known_in = f"{len(entities)} of them are known in all of {', '.join(attributes)}"
                raise UserError(
                    f"RAVEL, entities of split {split}: {known_in}, and no two differ so that "
                    f"{target} can be swapped; ask for more entities or for other attributes"
                )
            rows += [
                {"target": target, "aim": aim, "pair": at} | row for at, row in enumerate(drawn)
            ]
    kind = str(own["kind"].iloc[0])
    return pd.DataFrame(rows).assign(kind=kind, split=split)[list(RAVEL_PAIRS.columns)]


def _drawn(
    answers: _Answers,
    entities: Sequence[str],
    target: str,
    questions: Sequence[str],
    n: int,
    sources: Sequence[str],
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """Pairs of a target and an aim."""
    allowed = {
        (asked, base): found
        for asked in questions
        for base in entities
        if (found := _partners(answers, entities, target, asked, base))
    }
    turns = {name: [one for one in entities if (name, one) in allowed] for name in questions}
    turns = {name: rng.permutation(bases).tolist() for name, bases in turns.items() if bases}
    for at in range(n if turns else 0):
        asked = list(turns)[at % len(turns)]
        base = turns[asked][at // len(turns) % len(turns[asked])]
        partners = allowed[asked, base]  # by first token of the answer
        token = sorted(partners)[rng.integers(len(partners))]
        source = partners[token][int(rng.integers(len(partners[token])))]
        shared = [
            text
            for text in answers.templates[asked][base]
            if text in answers.templates[asked][source]
        ]
        template = shared[rng.integers(len(shared))]
        yield {
            "asked": asked,
            "base": base,
            "template": template,
            "source": source,
            "source_template": _context(answers, source, template, sources, rng),
            "base_token": answers.token[base, template],
            "source_token": answers.token[source, template],
        }


def _partners(
    answers: _Answers, entities: Sequence[str], target: str, asked: str, base: str
) -> dict[int, list[str]]:
    """Sources that a base may have, by the first token of their answer to what is asked."""
    found: dict[int, list[str]] = {}
    for other in entities:
        if answers.differ(target, base, other) and answers.differ(asked, base, other):
            first = answers.templates[asked][other][0]
            found.setdefault(answers.token[other, first], []).append(other)
    return found


def _context(
    answers: _Answers,
    source: str,
    template: str,
    sources: Sequence[str],
    rng: np.random.Generator,
) -> str:
    """The prompt that a source's vector is taken from."""
    if sources[int(rng.integers(len(sources)))] == SAME:
        return template
    elsewhere = [
        text
        for attribute, by_entity in answers.templates.items()
        if attribute != answers.asks[template]
        for text in by_entity[source]
    ]
    return elsewhere[rng.integers(len(elsewhere))]
