from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.shards.shard import KEY, of_shard
from clampsweep.studies.scrubbing.masks import CATEGORIES, categories
from clampsweep.studies.scrubbing.tables import CELLS, LOSSES
from clampsweep.studies.scrubbing.tally import Tally
from clampsweep.studies.scrubbing.tallying import CELL_HARM, cell_harm, tally_losses
from scrubbing import small

DATA = small.data()
N, N_POS = DATA.tokens.shape[0], DATA.tokens.shape[1] - 1
FLAGS = np.stack([categories(one, DATA.lists) for one in DATA.tokens])
NAMES = ("unscrubbed", "baseline", "half", "twin")
BLOCKS = {0: range(5), 5: range(5, 9), 9: range(9, 12)}  # by the first example
SEED = 3


def losses() -> dict[str, np.ndarray]:
    """Losses of all examples under each experiment; `twin` has the content of `half`."""
    rng = np.random.default_rng(0)
    own = {name: rng.gamma(2, 1, (N, N_POS)).astype(np.float32) for name in NAMES[:3]}
    return own | {"twin": own["half"]}


NLL = losses()


def key(name: str, first: int) -> str:
    return f"key of {'half' if name == 'twin' else name}/{first}"


def rows(name: str, first: int) -> pd.DataFrame:
    block = list(BLOCKS[first])
    return pd.DataFrame(
        {"example": block, "draws": [[0]] * len(block), "nll": list(NLL[name][block])}
    ).assign(**{KEY: key(name, first)})


def write(path: Path, parts: list[pd.DataFrame], schema: tables.Schema = LOSSES) -> Path:
    path.parent.mkdir(exist_ok=True)
    tables.write(pd.concat(parts, ignore_index=True), path, of_shard(schema), {})
    return path


def pinned(folder: Path, items: list[tuple[str, str]]) -> Path:
    path = folder / "plan.json"
    path.write_text(json.dumps({"work": "m/losses", "rows": items}))
    return path


def plan(folder: Path) -> Path:
    items = [(f"{name}/{first}", key(name, first)) for first in BLOCKS for name in NAMES]
    return pinned(folder, items)


def shards(folder: Path) -> list[Path]:
    """Four shards: one item is in two of them, one item is of another plan, rows are shuffled."""
    other = rows("half", 0).assign(**{KEY: "key of another plan's"})
    contents = [
        [rows("half", 9), rows("unscrubbed", 0), rows("baseline", 5)],
        [other, rows("unscrubbed", 5), rows("half", 0).iloc[::-1]],
        [rows("baseline", 0), rows("unscrubbed", 0), rows("unscrubbed", 9)],
        [rows("half", 5).sample(frac=1, random_state=0), rows("baseline", 9)],
    ]
    return [write(folder / f"shards/{at}.parquet", some) for at, some in enumerate(contents)]


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Tally:
    folder = tmp_path_factory.mktemp("tally")
    return tally_losses(plan(folder), shards(folder), DATA, NAMES, SEED)


def test_means_variances_and_counts_are_of_all_positions_each_counted_once(found):
    for e, name in enumerate(NAMES):
        for c in range(len(CATEGORIES)):
            chosen = NLL[name].astype(float)[FLAGS[:, c]]
            assert found.count[e, c] == len(chosen)
            assert found.n_examples[e, c] == FLAGS[:, c].any(1).sum()
            if len(chosen):
                assert found.means.mean[e, c] == pytest.approx(chosen.mean())
                assert found.variance[e, c] == pytest.approx(chosen.var(ddof=1))
    assert (found.count[0] > 0).sum() > 5


def test_it_is_the_tally_of_all_examples_at_once(found):
    whole = Tally(NAMES, SEED)
    for name in NAMES:
        whole.add(name, list(range(N)), NLL[name], FLAGS)
    assert np.allclose(whole.means.resampled, found.means.resampled, equal_nan=True)
    assert (whole.count == found.count).all()


def test_shards_in_another_order_or_as_one_give_the_same(found, tmp_path):
    reverse = tally_losses(plan(tmp_path), shards(tmp_path)[::-1], DATA, NAMES, SEED)
    every = [rows(name, first) for name in NAMES[:3] for first in BLOCKS]
    one = write(tmp_path / "shards/one.parquet", every)
    for other in (reverse, tally_losses(plan(tmp_path), [one], DATA, NAMES, SEED)):
        assert np.allclose(other.means.mean, found.means.mean, equal_nan=True)
        assert np.allclose(other.means.resampled, found.means.resampled, equal_nan=True)
        assert (other.count == found.count).all()


def test_an_item_that_no_shard_holds_is_named_in_a_line(tmp_path):
    some, where = shards(tmp_path), plan(tmp_path)
    message = (
        f"{where}: no shard holds 'half/5' (key of half/5); delete {tmp_path}/shards and run again"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        tally_losses(where, some[:3], DATA, ["unscrubbed", "baseline", "half", "twin"], SEED)
    with pytest.raises(UserError, match="no shard holds 'unscrubbed/0'"):
        tally_losses(where, [], DATA, NAMES, SEED)


def test_a_cut_shard_and_a_damaged_plan_are_named_in_a_line(tmp_path):
    some, where = shards(tmp_path), plan(tmp_path)
    some[2].write_bytes(some[2].read_bytes()[:-100])
    with pytest.raises(UserError, match=r"^[^\n]*2\.parquet: not a whole Parquet file[^\n]*$"):
        tally_losses(where, some, DATA, NAMES, SEED)
    where.write_text("{")
    with pytest.raises(UserError, match=r"^[^\n]*plan\.json: damaged plan file[^\n]*$"):
        tally_losses(where, some, DATA, NAMES, SEED)


CELL = [(3, "q", "E"), (3, "v", "0.2"), (1, "k", "0.0")]
DLOSS = np.random.default_rng(4).normal(0.5, 1, (len(CELL), N, N_POS)).astype(np.float32)


def cell_rows(first: int, key: str) -> pd.DataFrame:
    """Rows as a job makes them: of an example, all cells."""
    listed = [(*cell, example, DLOSS[at, example])
              for example in BLOCKS[first] for at, cell in enumerate(CELL)]  # fmt: skip
    columns = ["head", "channel", "upstream", "example", "dloss"]
    return pd.DataFrame(listed, columns=columns).assign(**{KEY: key})


def cell_plan(folder: Path) -> Path:
    return pinned(folder, [("0", "a"), ("5", "b")])


def test_harm_of_a_cell_is_its_mean_over_positions_with_an_interval_over_examples(tmp_path):
    # The third block, and a block like the first, are of a plan for more examples.
    some = [
        write(tmp_path / "shards/0.parquet", [cell_rows(5, "b"), cell_rows(0, "c")], CELLS),
        write(tmp_path / "shards/1.parquet", [cell_rows(9, "d"), cell_rows(0, "a")], CELLS),
        write(tmp_path / "shards/2.parquet", [cell_rows(5, "b")], CELLS),
    ]
    harm = cell_harm(cell_plan(tmp_path), some, DATA, SEED)
    tables.write(harm, tmp_path / "t.parquet", CELL_HARM, {})
    back = tables.read(tmp_path / "t.parquet", CELL_HARM)
    back = back.set_index(["head", "channel", "upstream", "category"])
    assert len(back) == len(CELL) * len(CATEGORIES)
    times = np.stack([np.random.default_rng([SEED, i]).poisson(1, 1000) for i in range(9)], 1)
    for at, cell in enumerate(CELL):
        for c, category in enumerate(CATEGORIES):
            row, flags = back.loc[(*cell, category)], FLAGS[:9, c]
            if not flags.any():
                assert row.isna().all()
                continue
            assert row["harm"] == pytest.approx(DLOSS[at, :9].astype(float)[flags].mean())
            sums = (DLOSS[at, :9].astype(float) * flags).sum(1)
            with np.errstate(invalid="ignore"):
                resampled = (times @ sums) / (times @ flags.sum(1))
            ends = np.nanquantile(resampled, [0.025, 0.975])
            assert [row["low"], row["high"]] == pytest.approx(ends)


def test_a_block_of_cells_that_no_shard_holds_is_named_in_a_line(tmp_path):
    some = [write(tmp_path / "shards/0.parquet", [cell_rows(5, "b")], CELLS)]
    with pytest.raises(UserError, match=r"plan\.json: no shard holds '0' \(a\); delete "):
        cell_harm(cell_plan(tmp_path), some, DATA, SEED)


def test_where_one_example_has_all_positions_there_is_no_interval(tmp_path):
    # Of the first five examples, token 1 is in the first alone, and more than once.
    assert [1 in one[:-1] for one in DATA.tokens[:5]] == [True, False, False, False, False]
    only = DATA._replace(lists=DATA.lists._replace(candidates=np.arange(48) == 1))
    shard = write(tmp_path / "shards/0.parquet", [cell_rows(0, "a")], CELLS)
    rows = cell_harm(pinned(tmp_path, [("0", "a")]), [shard], only, SEED)
    rows = rows[rows["category"] == "CANDIDATES"]
    chosen = DATA.tokens[0, :-1] == 1
    means = DLOSS[:, 0].astype(float)[:, chosen].mean(1)
    assert sorted(rows["harm"]) == pytest.approx(sorted(means))
    assert rows[["low", "high"]].isna().all(axis=None)


def test_draws_that_are_the_example_itself_are_counted(found):
    assert found.draws.tolist() == [[1, N]] * len(NAMES)  # example 0 is drawn for all
