from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.concluding import Concluded, conclude
from clampsweep.studies.scrubbing.masks import categories
from clampsweep.studies.scrubbing.scrub import scrub
from clampsweep.studies.scrubbing.variants import experiments
from scrubbing import small, viewed

END = "CANDIDATE ERB"  # where the planted circuit predicts


@pytest.fixture(scope="module")
def found(files, tmp_path_factory) -> Concluded:
    shards = viewed.sharded(tmp_path_factory.mktemp("shards"))
    return conclude(files | shards, viewed.LISTED, viewed.PAIR, 0)


def test_the_table_is_of_the_losses_of_all_examples(found):
    listed = experiments(viewed.LISTED.hypotheses, viewed.ROLES)
    data, seed = viewed.DATA, small.PARAMETERS["seed"]
    blocks = scrub(viewed.PLANTED.weights, data.tokens, listed, range(len(data.tokens)), seed)
    nll = np.stack([one.nll for one in blocks]).astype(float)  # [example, experiment, pos]
    ends = np.stack([categories(one, data.lists)[7] for one in data.tokens])
    rows = found.table[found.table["category"] == END].set_index("experiment")
    assert list(rows.index) == [one.name for one in listed]
    for row, one in enumerate(listed):
        assert rows.loc[one.name, "mean"] == pytest.approx(nll[:, row][ends].mean())
        assert rows.loc[one.name, "count"] == ends.sum() == 12 * 15


def test_the_true_circuit_recovers_all_alone_and_its_cells_are_those_that_harm(found):
    rows = found.table[found.table["category"] == END].set_index("experiment")["loss_recovered"]
    assert rows["circuit"] == pytest.approx(1, abs=1e-5)
    assert rows["circuit-decoherent"] == pytest.approx(1, abs=1e-5)
    assert max(rows["wrong"], rows["circuit-random-1"], rows["circuit-random-2"]) < 0.1
    harm = found.cell_harm[found.cell_harm["category"] == END].set_index(["channel", "upstream"])
    needed = [("q", "E"), ("k", "0.0"), ("v", "E")]
    assert len(harm) == 9 and set(harm["head"]) == {0}
    assert (harm.loc[needed, "low"] > 5).all()
    assert np.allclose(harm.drop(needed)["harm"].astype(float), 0, atol=1e-5)


def test_curve_two_heads_and_verdicts_are_of_the_same_losses(found):
    curve = found.curves.set_index("category").loc[END]
    assert curve["cpr"] == pytest.approx(0.5 / 3 + 2 / 3, abs=1e-5)  # the circuit keeps 3 of 9
    two = found.two_heads.set_index("category").loc[END]
    means = found.table[found.table["category"] == END].set_index("experiment")["mean"]
    assert two["first_harm"] == pytest.approx(means["baseline"] - means["unscrubbed"])
    assert two["second_harm"] == 0
    verdicts = found.concluded.verdicts
    own = verdicts[verdicts["by"] == END].set_index(["claim", "subject"])["verdict"]
    assert own["recovers most", "circuit"] == own["recovers most", "scrub-2"] == "supported"
    assert own["recovers most", "wrong"] == own["recovers most", "scrub-1"] == "contradicted"
    assert own["heads differ", "scrub-1 and scrub-2"] == "supported"
    assert own["beats random", "circuit"] == "untestable"  # two of them are too few


def test_damaged_hypotheses_are_named_in_a_line(files, tmp_path):
    (tmp_path / "hypotheses.json").write_text('{"roles')
    damaged = {**files, "hypotheses": tmp_path / "hypotheses.json"}
    with pytest.raises(UserError, match=r"^[^\n]*hypotheses\.json: missing or damaged; delete it"):
        conclude(damaged, viewed.LISTED, viewed.PAIR, 0)


def test_another_seed_draws_other_intervals_of_the_same_means(files, found, tmp_path):
    other = conclude(files | viewed.sharded(tmp_path), viewed.LISTED, viewed.PAIR, 1).table
    assert np.allclose(other["mean"], found.table["mean"], equal_nan=True)
    ends = pd.concat([other["ci_low"], found.table["ci_low"]], axis=1).dropna().to_numpy()
    assert (ends[:, 0] != ends[:, 1]).any()
