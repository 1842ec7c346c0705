"""Items of the study's work: what is in their contents decides a result, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clampsweep.shards.shard import Item, item_key
from clampsweep.studies.scrubbing.hypotheses import Listed
from clampsweep.studies.scrubbing.items import (
    BLOCK,
    blocks,
    cell_items,
    contents,
    experiment_of,
    losses_items,
    pair_items,
    total_items,
)
from clampsweep.studies.scrubbing.reading import parse, read
from clampsweep.studies.scrubbing.roles import Roles
from clampsweep.studies.scrubbing.variants import experiments

DATA = Path(__file__).parents[2] / "workflow/data/scrubbing"
FILES = sorted(
    path.name for path in DATA.glob("*.yaml") if "\nhypotheses:\n" in path.read_text("utf-8")
)
ROLES = {
    "published": Roles(
        8, {"prev": (0, 6), "self": (1, 2, 3, 5), "first": (4, 7), "induction": (5, 6)}, {}
    ),
    "shipped": Roles(
        8,
        {"prev": (0,), "self": (3, 7, 5, 6), "first": (), "induction": (5, 2, 3, 4, 1)},
        {"first": "none"},
    ),
}
EVERY = {"q": "all", "k": "all", "v": "all"}
BASELINE = {"name": "baseline", "heads": "induction", "groups": [EVERY]}
NAIVE = {"name": "naive", "heads": "induction", "groups": [{"q": "L0", "v": "L0"}]}
OTHER = {"name": "other", "heads": "induction", "groups": [{"q": "L0-self"}], "controls": 2}


def listed(*entries: dict[str, Any]) -> Listed:
    return parse({"hypotheses": [BASELINE, *entries]}, "h.yaml")


def key(content: Any) -> str:
    return item_key("scrubbing_losses", "model", {"seed": 0}, content)


def keys(items: tuple[Item, ...]) -> dict[str, str]:
    return {item.name: key(item.content) for item in items}


# Contents


def test_both_files_of_hypotheses_are_looked_at():
    assert len(FILES) == 2 and "hypotheses.yaml" in FILES


@pytest.mark.parametrize("roles", ROLES)
@pytest.mark.parametrize("file", FILES)
def test_a_content_gives_the_experiment_that_its_hypothesis_gives(file, roles):
    found = read(DATA / file)
    wanted = {one.name: one for one in experiments(found.hypotheses, ROLES[roles])}
    assert list(contents(found)) == list(wanted)
    for name, content in contents(found).items():
        one, other = experiment_of(content, ROLES[roles], name), wanted[name]
        assert (one.name, one.sampler, one.sources) == (other.name, other.sampler, other.sources)
        assert (one.cells == other.cells).all() and (one.skip == other.skip).all()


def test_a_content_depends_on_no_name_and_on_no_order():
    one = contents(listed(NAIVE, OTHER))
    other = contents(listed({**OTHER, "name": "first"}, {**NAIVE, "name": "second"}))
    renamed = {"naive": "second", "other": "first"}
    renamed |= {f"other-random-{i}": f"first-random-{i}" for i in (1, 2)}
    for name, content in one.items():
        assert key(content) == key(other[renamed.get(name, name)])
    backwards = {**NAIVE, "groups": [{"v": "L0", "q": "L0"}]}
    assert key(contents(listed(backwards))["naive"]) == key(one["naive"])


def test_a_content_does_not_say_what_else_is_run_of_its_hypothesis():
    more = {**NAIVE, "decoherent": True, "controls": 3}
    few, many = contents(listed(NAIVE)), contents(listed(more))
    assert key(few["naive"]) == key(many["naive"])
    assert len({key(content) for content in many.values()}) == len(many) == 7


@pytest.mark.parametrize(
    "change",
    [
        {"heads": "induction1"},
        {"groups": [{"q": "L0"}, {"v": "L0"}]},
        {"groups": [{"q": "L0", "v": "L0", "skip": "E"}]},
        {"edit": {"self": "first"}},
        {"sampler": "func(first-token)"},
    ],
)
def test_each_change_of_what_is_scrubbed_changes_the_content(change):
    before = contents(listed(NAIVE))["naive"]
    assert key(contents(listed({**NAIVE, **change}))["naive"]) != key(before)


# Items


def test_blocks_hold_each_example_once():
    assert BLOCK == 50
    assert blocks(120) == [(0, 50), (50, 50), (100, 20)]
    assert blocks(50) == [(0, 50)]
    assert blocks(2) == [(0, 2)]


def test_losses_are_of_each_block_under_each_experiment():
    found = losses_items(listed(NAIVE), 70)
    assert [item.name for item in found] == [
        *("unscrubbed/0", "baseline/0", "naive/0", "unscrubbed/50", "baseline/50", "naive/50")
    ]
    assert [(item.content["first"], item.content["n"]) for item in found] == 3 * [(0, 50)] + 3 * [
        (50, 20)
    ]
    assert found[0].content["hypothesis"] is None
    assert found[2].content["hypothesis"] == {
        "heads": "induction", "groups": [{"q": "L0", "v": "L0"}],
    }  # fmt: skip
    assert len(set(keys(found).values())) == 6


def test_a_hypothesis_that_is_added_leaves_the_keys_of_the_others_as_they_are():
    pairs, names = [("unscrubbed", "naive")], ["unscrubbed", "naive"]
    for before, after in (
        (losses_items(listed(NAIVE), 120), losses_items(listed(OTHER, NAIVE), 120)),
        (
            pair_items(listed(NAIVE), pairs, 3, n_draws=4),
            pair_items(listed(OTHER, NAIVE), [("baseline", "other"), *pairs], 3, n_draws=4),
        ),
        (
            total_items(listed(NAIVE), names, 3, n_draws=4),
            total_items(listed(OTHER, NAIVE), ["other", *names], 3, n_draws=4),
        ),
    ):
        assert keys(before).items() < keys(after).items()


def test_more_examples_leave_the_keys_of_full_blocks_as_they_are():
    few, many = keys(losses_items(listed(NAIVE), 100)), keys(losses_items(listed(NAIVE), 130))
    assert few.items() < many.items()
    assert keys(cell_items(100)).items() < keys(cell_items(130)).items()
    pairs = [("baseline", "naive")]
    few, many = (keys(pair_items(listed(NAIVE), pairs, n, n_draws=4)) for n in (2, 5))
    assert few.items() < many.items()


def test_cells_depend_on_the_examples_alone():
    assert cell_items(70) == (
        Item("0", {"first": 0, "n": 50}),
        Item("50", {"first": 50, "n": 20}),
    )


def test_pairs_are_of_each_example_with_all_that_decides_them():
    pairs = [("unscrubbed", "naive"), ("naive", "baseline")]
    found = pair_items(listed(NAIVE), pairs, 2, n_draws=4, n_tokens=9)
    assert [item.name for item in found] == [
        *("unscrubbed/naive/0", "naive/baseline/0", "unscrubbed/naive/1", "naive/baseline/1")
    ]
    content = found[2].content
    assert (content["example"], content["n_draws"], content["n_tokens"]) == (1, 4, 9)
    known = contents(listed(NAIVE))
    assert content["first"] == {"name": "unscrubbed", **known["unscrubbed"]}
    assert content["second"] == {"name": "naive", **known["naive"]}
    assert len(set(keys(found).values())) == 4


def test_totals_are_of_each_example_and_experiment():
    found = total_items(listed(NAIVE), ["naive", "unscrubbed"], 2, n_draws=4)
    assert [item.name for item in found] == ["naive/0", "unscrubbed/0", "naive/1", "unscrubbed/1"]
    known = contents(listed(NAIVE))["naive"]
    assert found[2].content == {"name": "naive", **known, "example": 1, "n_draws": 4}
