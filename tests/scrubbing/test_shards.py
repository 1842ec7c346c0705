from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.shards.shard import KEY, Keyed, Shard, of_shard
from clampsweep.studies.scrubbing import items
from clampsweep.studies.scrubbing.attention_means import attention_mean
from clampsweep.studies.scrubbing.engine import Engine
from clampsweep.studies.scrubbing.masks import CATEGORIES, categories
from clampsweep.studies.scrubbing.saa import attribution
from clampsweep.studies.scrubbing.samplers import Pool
from clampsweep.studies.scrubbing.scrub import scrub
from clampsweep.studies.scrubbing.shards import COMPUTED, Bench, compute
from clampsweep.studies.scrubbing.tables import ATTENTION, CELLS, LOSSES, SAA, TOTALS
from clampsweep.studies.scrubbing.variants import experiments
from scrubbing import small
from scrubbing.models import N_HEADS, ROLES, weights

DATA = small.data()
LISTED = small.listed(
    {"name": "naive", "heads": "induction", "groups": [{"q": "L0"}, {"k": ["E", "L0-prev1"]}],
     "decoherent": True, "controls": 2},
    {"name": "one", "heads": "induction1", "groups": [small.WHOLE]},
    {"name": "alike", "heads": "L1", "groups": [{"v": "all"}], "sampler": "func(n-distinct)"},
    {"name": "edit", "edit": {"prev1": "previous"}},
)  # fmt: skip
EXPERIMENTS = {one.name: one for one in experiments(LISTED.hypotheses, ROLES)}
SEED = small.PARAMETERS["seed"]
PAIRS = [("unscrubbed", "one"), ("baseline", "naive")]
SCHEMAS = {"losses": LOSSES, "cells": CELLS, "saa": SAA, "attention": ATTENTION, "totals": TOTALS}


def run(work: str, some: list[Keyed]) -> dict[str, pd.DataFrame]:
    """Rows of each item, as a job makes them."""
    shard = Shard(f"scrubbing_{work}", "model", small.PARAMETERS, some)
    found = list(compute(weights(torch.float32), shard, DATA))
    assert sorted(key for key, _ in found) == sorted(one.key for one in some), "each item once"
    return dict(found)


def stacked(rows: pd.DataFrame, column: str = "nll") -> np.ndarray:
    return np.stack(rows[column].tolist())


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two tables hold the same, to the bit."""
    return one.map(repr).equals(other.map(repr)) and all(
        np.array_equal(np.stack(one[name].tolist()), np.stack(other[name].tolist()))
        for name in {"nll", "dloss"} & set(one)
        if one[name].dtype == object
    )


def losses_items(number: int = 7, block: int = 4) -> list[Keyed]:
    """All experiments on blocks of examples."""
    starts = range(0, number, block)
    return [
        Keyed(f"{name}/{first}", {**content, "first": first, "n": min(block, number - first)})
        for first in starts
        for name, content in items.contents(LISTED).items()
    ]


@pytest.fixture(scope="module")
def together() -> dict[str, pd.DataFrame]:
    return run("losses", losses_items())


def test_losses_of_a_block_are_those_of_its_examples_under_the_experiment_alone(together):
    assert len(together) == 2 * len(EXPERIMENTS) == 2 * 9
    for key, rows in together.items():
        name, first = key.split("/")
        n = {0: 4, 4: 3}[int(first)]
        assert rows["example"].tolist() == list(range(int(first), int(first) + n))
        experiment = EXPERIMENTS[name]
        direct = list(
            scrub(weights(torch.float32), DATA.tokens, [experiment], rows["example"].tolist(), SEED)
        )
        assert np.array_equal(stacked(rows), np.concatenate([one.nll for one in direct]))
        draws = [[one.draws[0][d] for d in experiment.draws] for one in direct]
        assert rows["draws"].tolist() == draws


def test_an_item_gives_the_same_bits_alone_and_in_whatever_order_and_company(together):
    some = losses_items()
    for item in some[::3]:
        assert same(run("losses", [item])[item.key], together[item.key])
    mixed = [some[at] for at in np.random.default_rng(1).permutation(len(some))[:11]]
    for key, rows in run("losses", mixed).items():
        assert same(rows, together[key])


def test_blocks_of_another_size_give_the_same_bits(together):
    parts = run("losses", losses_items(block=2))
    for name in EXPERIMENTS:
        whole = [together[f"{name}/{first}"] for first in (0, 4)]
        cut = [parts[f"{name}/{first}"] for first in (0, 2, 4, 6)]
        assert same(pd.concat(whole, ignore_index=True), pd.concat(cut, ignore_index=True))


def test_a_cell_is_a_hypothesis_that_scrubs_this_cell_alone():
    (rows,) = run("cells", [Keyed("0", {"first": 2, "n": 2})]).values()
    cells = [(h, c, u) for h in (3, 1) for c in "qkv" for u in ("E", "0.0", "0.1", "0.2", "0.3")]
    assert set(rows[["head", "channel", "upstream"]].itertuples(index=False, name=None)) == set(
        cells
    )
    entries = [
        {"name": f"cell{at}", "heads": f"1.{h}", "groups": [{c: u}]}
        for at, (h, c, u) in enumerate(cells)
    ]
    alone = experiments(small.listed(*entries).hypotheses, ROLES)
    direct = list(scrub(weights(torch.float32), DATA.tokens, alone, [2, 3], SEED))
    known = rows.set_index(["head", "channel", "upstream", "example"])["dloss"]
    assert len(known) == len(rows) == 2 * len(cells)
    for one in direct:
        for at, cell in enumerate(cells):
            wanted = one.nll[2 + at] - one.nll[0]  # after unscrubbed and baseline
            assert np.array_equal(known.loc[(*cell, one.example)], wanted)
    assert any(np.abs(stacked(rows, "dloss")).max(1) > 0.1)


def pair_items(**more: int) -> list[Keyed]:
    return small.keyed(items.pair_items(LISTED, PAIRS, 2, **more))


def test_attributions_are_second_minus_first_of_each_pair_with_categories_of_the_label():
    engine = Engine(weights(torch.float32), torch.from_numpy(DATA.tokens))
    for item, rows in run("saa", pair_items(n_draws=3)).items():
        first, second, example = item.split("/")
        index = int(example)
        direct = attribution(
            engine, Pool(DATA.tokens, SEED), index, EXPERIMENTS[first], EXPERIMENTS[second], 3
        )
        assert (rows["first"] == first).all() and (rows["second"] == second).all()
        assert np.array_equal(rows["dloss"], direct.dloss) and np.array_equal(rows["se"], direct.se)
        assert rows["token"].tolist() == DATA.tokens[index].tolist()
        flags = categories(DATA.tokens[index], DATA.lists)
        for at, said in enumerate(rows["categories"]):
            names = [
                name for name, own in zip(CATEGORIES, flags, strict=True) if at and own[at - 1]
            ]
            assert said == "; ".join(names)
        assert np.abs(direct.dloss).max() > 0.1


def test_attention_is_of_both_experiments_and_the_first_minus_the_second():
    engine, pool = (
        Engine(weights(torch.float32), torch.from_numpy(DATA.tokens)),
        Pool(DATA.tokens, SEED),
    )
    for item, rows in run("attention", pair_items(n_draws=2, n_tokens=6)).items():
        first, second, example = item.split("/")
        one, other = (
            attention_mean(engine, pool, int(example), EXPERIMENTS[name], 2)
            for name in (first, second)
        )
        assert set(rows["head"]) == {1, 3} and set(rows["layer"]) == {1}
        assert rows["query"].max() == 5 and (rows["key"] <= rows["query"]).all()
        parts = {(first, ""): one, (second, ""): other, (first, second): one - other}
        assert len(rows) == 3 * 2 * 21
        for row in rows.itertuples():
            assert row.mean == parts[row.first, row.second][row.head, row.query, row.key]
        assert rows.loc[rows["second"] != "", "mean"].abs().max() > 0.01


def test_totals_are_mean_attention_from_all_that_can_see_a_token():
    engine, pool = (
        Engine(weights(torch.float32), torch.from_numpy(DATA.tokens)),
        Pool(DATA.tokens, SEED),
    )
    some = small.keyed(items.total_items(LISTED, ["unscrubbed", "naive"], 2, n_draws=2))
    for item, rows in run("totals", some).items():
        name, example = item.split("/")
        mean = attention_mean(engine, pool, int(example), EXPERIMENTS[name], 2)
        assert (rows["experiment"] == name).all() and (rows["example"] == int(example)).all()
        assert rows["token"].tolist() == 2 * DATA.tokens[int(example), :-1].tolist()
        for row in rows.itertuples():
            seen = mean[row.head, row.position :, row.position]
            assert row.total == pytest.approx(seen.mean())


def test_every_work_of_the_study_has_its_function_and_rows_of_its_schema(tmp_path):
    assert COMPUTED.keys() == {f"scrubbing_{work}" for work in SCHEMAS}
    some = {
        "losses": losses_items(),
        "cells": [Keyed("0", {"first": 0, "n": 1})],
        "saa": pair_items(n_draws=1),
        "attention": pair_items(n_draws=1, n_tokens=4),
        "totals": small.keyed(items.total_items(LISTED, ["unscrubbed"], 1, n_draws=1)),
    }
    for work, schema in SCHEMAS.items():
        rows = pd.concat([own.assign(**{KEY: key}) for key, own in run(work, some[work]).items()])
        tables.write(rows, tmp_path / f"{work}.parquet", of_shard(schema), {})
        assert len(tables.read(tmp_path / f"{work}.parquet", of_shard(schema))) == len(rows)


def test_where_no_head_is_an_induction_head_all_of_layer_1_are_looked_at():
    flat = DATA._replace(heads=DATA.heads.assign(induction=0.1))
    bench = Bench(weights(torch.float32), flat, small.PARAMETERS)
    assert bench.induction == list(range(N_HEADS))
    assert Bench(weights(torch.float32), DATA, small.PARAMETERS).induction == [3, 1]


@pytest.mark.parametrize(
    ("sampler", "data", "said"),
    [
        ("fixed(12)", DATA, "hypothesis: fixed(12): there are examples 0 to 11"),
        ("uncond", small.data(1), "hypothesis: uncond: draws need at least 2 examples, got 1"),
    ],
)
def test_draws_that_are_not_possible_are_refused_in_a_line(sampler, data, said):
    content: dict[str, Any] = {"heads": "1.0", "groups": [small.WHOLE], "sampler": sampler}
    item = Keyed("a", {"hypothesis": content, "variant": "", "first": 0, "n": 1})
    shard = Shard("scrubbing_losses", "model", small.PARAMETERS, [item])
    with pytest.raises(UserError, match=f"^{re.escape(said)}$"):
        list(compute(weights(torch.float32), shard, data))
