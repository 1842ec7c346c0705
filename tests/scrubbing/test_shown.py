from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep.studies.scrubbing.figures.shown import (
    MOST,
    Place,
    cells_of,
    first_pair,
    main_hypotheses,
    named,
    striking_attention,
    striking_tokens,
)
from scrubbing import small

ONE = {"heads": "induction1", "groups": [small.WHOLE]}
ALL = {"heads": "induction", "groups": [{"q": "L0"}]}


def test_main_hypotheses_are_the_first_that_scrub_the_baselines_heads():
    listed = small.listed(
        {"name": "one", **ONE}, {"name": "a", **ALL}, {"name": "edit", "edit": {"prev1": "zero"}},
        {"name": "b", **ALL, "decoherent": True, "controls": 2},
    )  # fmt: skip
    assert main_hypotheses(listed) == ["a", "b"]
    many = small.listed(*({"name": f"h{at}", **ALL} for at in range(MOST + 3)))
    assert main_hypotheses(many) == [f"h{at}" for at in range(MOST)]


def test_where_none_scrubs_the_baselines_heads_others_are_shown():
    listed = small.listed({"name": "one", **ONE}, {"name": "edit", "edit": {"prev1": "zero"}})
    assert main_hypotheses(listed) == ["one", "edit"]
    assert main_hypotheses(small.listed()) == []


def test_rows_of_random_hypotheses_are_left_out_and_those_of_a_like_name_are_not():
    listed = small.listed({"name": "a", **ALL, "decoherent": True, "controls": 2},
                          {"name": "b-random-c", **ALL})  # fmt: skip
    names = [
        "unscrubbed",
        "baseline",
        "a",
        "a-decoherent",
        "a-random-1",
        "a-random-2",
        "b-random-c",
    ]
    table = pd.DataFrame({"experiment": names})
    kept = ["unscrubbed", "baseline", "a", "a-decoherent", "b-random-c"]
    assert named(table, listed)["experiment"].tolist() == kept


def saa(seed: int = 0, n_examples: int = 5, n_pos: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame({"example": example, "second": second, "position": range(n_pos),
                      "dloss": rng.normal(0, 1 + example % 3, n_pos)})
        for example in range(n_examples) for second in ("scrub-1", "scrub-2")
    ]  # fmt: skip
    return pd.concat(parts).sample(frac=1, random_state=0)


@pytest.mark.parametrize("seed", range(4))
def test_striking_tokens_are_where_the_sum_of_sizes_is_highest(seed):
    table = saa(seed)
    examples, window = striking_tokens(table, 2, 7)
    sizes = np.zeros((5, 30))
    for row in table.itertuples():
        sizes[row.example, row.position] += abs(row.dloss)
    best = sorted(sorted(range(5), key=lambda one: -sizes[one].sum())[:2])
    assert examples == best
    sums = [sizes[best, first : first + 7].sum() for first in range(24)]
    assert window == (int(np.argmax(sums)), int(np.argmax(sums)) + 7)


def test_a_stretch_is_no_longer_than_the_examples_and_there_may_be_fewer_of_these():
    examples, window = striking_tokens(saa(n_examples=1, n_pos=4), 2, 60)
    assert (examples, window) == ([0], (0, 4))


def attention(seed: int = 0, n: int = 12) -> pd.DataFrame:
    """Two experiments and their difference, in three examples and heads 1 and 3."""
    rng, parts = np.random.default_rng(seed), []
    for example in (0, 2, 5):
        for head in (1, 3):
            for first, second in (("unscrubbed", ""), ("all", ""), ("unscrubbed", "all")):
                query, key = np.tril_indices(n)
                mean = rng.normal(0, 1, len(query)) + 100 * (key == 0)
                parts.append(
                    pd.DataFrame({"example": example, "head": head, "first": first,
                                  "second": second, "query": query, "key": key, "mean": mean})
                )  # fmt: skip
    return pd.concat(parts)


@pytest.mark.parametrize("seed", range(4))
def test_striking_attention_is_where_differences_are_highest_but_for_the_first_token(seed):
    table = attention(seed)
    sums = {}
    for example in (0, 2, 5):
        sizes = np.zeros(12)
        own = table[(table["example"] == example) & (table["head"] == 3)]
        for row in own[own["second"] == "all"].itertuples():
            sizes[row.query] += abs(row.mean) * (row.key > 0)
        for first in range(8):
            sums[example, (first, first + 5)] = sizes[first : first + 5].sum()
    assert striking_attention(table, 3, 5) == Place(*max(sums, key=sums.__getitem__))


def test_the_first_pair_of_experiments_is_told_from_one_that_shares_an_experiment():
    pairs = [("unscrubbed", "all"), ("unscrubbed", "one")]
    rows = [(f"{first}/{second}/{example}", *names) for example in (0, 1) for first, second in pairs
            for names in ((first, ""), (second, ""), (first, second))]  # fmt: skip
    table = pd.DataFrame(rows, columns=["item", "first", "second"])
    found = first_pair(table)
    assert set(found["item"]) == {"unscrubbed/all/0", "unscrubbed/all/1"} and len(found) == 6


def test_without_a_difference_the_first_tokens_are_shown():
    table = attention()
    assert striking_attention(table[table["second"] == ""], 3, 5) == Place(0, (0, 5))


def test_cells_are_of_the_category_with_heads_by_name():
    harm = pd.DataFrame(
        [(3, "A", 1.0), (3, "B", 2.0), (12, "B", 3.0)], columns=["head", "category", "harm"]
    )
    found = cells_of(harm, "B")
    assert found[["head", "harm"]].to_numpy().tolist() == [["1.3", 2.0], ["1.12", 3.0]]
