"""Items of sharded work: which experiments on which examples, as JSON values. No torch.

An experiment's content is what decides its losses, so a hypothesis that is renamed, or has others
beside it, is not scrubbed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clampsweep.shards.shard import Item
from clampsweep.studies.scrubbing.cells import Experiment, compiled, unscrubbed
from clampsweep.studies.scrubbing.hypotheses import UNSCRUBBED, Listed
from clampsweep.studies.scrubbing.reading import parse_one
from clampsweep.studies.scrubbing.roles import Roles
from clampsweep.studies.scrubbing.variants import variant

BLOCK = 50  # examples of an item


def contents(listed: Listed) -> dict[str, dict[str, Any]]:
    """What decides the losses of each experiment, by its name; `unscrubbed` is the first.

    Args:
        listed: The hypotheses.
    """
    found: dict[str, dict[str, Any]] = {UNSCRUBBED: {"hypothesis": None, "variant": ""}}
    for one in listed.hypotheses:
        for name, which in one.variants.items():
            found[name] = {"hypothesis": dict(one.content), "variant": which}
    return found


def experiment_of(content: Mapping[str, Any], roles: Roles, name: str) -> Experiment:
    """The experiment that a content stands for.

    Args:
        content: A value of `contents`.
        roles: Of the model's heads.
        name: The name that it gets.

    Raises:
        UserError: See `cells.compiled`.
    """
    if content["hypothesis"] is None:
        return unscrubbed(roles.n_heads)
    hypothesis = parse_one({**content["hypothesis"], "name": "hypothesis"}, "hypotheses")
    return variant(compiled(hypothesis, roles), content["variant"])._replace(name=name)


def blocks(number: int) -> list[tuple[int, int]]:
    """First example and number of examples of each block.

    Args:
        number: Of all examples.
    """
    return [(first, min(BLOCK, number - first)) for first in range(0, number, BLOCK)]


def losses_items(listed: Listed, number: int) -> tuple[Item, ...]:
    """Each block of examples under each experiment, named `<experiment>/<first example>`.

    Args:
        listed: The hypotheses.
        number: Of examples.
    """
    return tuple(
        Item(f"{name}/{first}", {**content, "first": first, "n": n})
        for first, n in blocks(number)
        for name, content in contents(listed).items()
    )


def cell_items(number: int) -> tuple[Item, ...]:
    """Each block of examples, with one cell scrubbed at a time.

    Args:
        number: Of examples.
    """
    return tuple(Item(str(first), {"first": first, "n": n}) for first, n in blocks(number))


def pair_items(
    listed: Listed, pairs: Sequence[Sequence[str]], number: int, **more: int
) -> tuple[Item, ...]:
    """Each of the first examples under each pair of experiments.

    Args:
        listed: The hypotheses.
        pairs: Names of experiments, each the first and the second.
        number: Of examples.
        **more: What else decides the result.
    """
    known = contents(listed)
    return tuple(
        Item(
            f"{first}/{second}/{example}",
            {
                "first": {"name": first, **known[first]},
                "second": {"name": second, **known[second]},
                "example": example,
                **more,
            },
        )
        for example in range(number)
        for first, second in pairs
    )


def total_items(listed: Listed, names: Sequence[str], number: int, **more: int) -> tuple[Item, ...]:
    """Each of the first examples under some experiments.

    Args:
        listed: The hypotheses.
        names: Of the experiments.
        number: Of examples.
        **more: What else decides the result.
    """
    known = contents(listed)
    return tuple(
        Item(f"{name}/{example}", {"name": name, **known[name], "example": example, **more})
        for example in range(number)
        for name in names
    )
