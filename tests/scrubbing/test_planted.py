from __future__ import annotations

import numpy as np
import pytest

from clampsweep.studies.scrubbing.cells import Experiment
from clampsweep.studies.scrubbing.head_scores import head_scores
from clampsweep.studies.scrubbing.masks import Lists, categories
from clampsweep.studies.scrubbing.planted import BOS, planted
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.recovered import recovered_table
from clampsweep.studies.scrubbing.roles import THRESHOLDS, resolve
from clampsweep.studies.scrubbing.scrub import scrub
from clampsweep.studies.scrubbing.tally import Tally
from clampsweep.studies.scrubbing.variants import experiments

PLANTED = planted()
N_TOKENS = 16


@pytest.fixture(scope="module")
def listed() -> list[Experiment]:
    roles = resolve(head_scores(PLANTED.weights, BOS), THRESHOLDS)
    return experiments(parse(PLANTED.hypotheses, "planted").hypotheses, roles)


@pytest.fixture(scope="module")
def found(listed):
    """Losses of each experiment, its row of the ends of repeated bigrams, and the table."""
    names, losses = [one.name for one in listed], []
    lists = Lists(np.ones(17, bool), np.zeros(17, bool), np.arange(17))
    tally = Tally(names)
    for one in scrub(PLANTED.weights, PLANTED.tokens, listed, range(40), seed=0):
        flags = categories(PLANTED.tokens[one.example], lists)
        for name, nll in zip(names, one.nll, strict=True):
            tally.add(name, [one.example], nll[None], flags[None])
        losses.append(one.nll)
    table = recovered_table(tally).set_index(["experiment", "category"])
    rows = {name: table.loc[name, "CANDIDATE ERB"] for name in names}
    return dict(zip(names, np.stack(losses, 1), strict=True)), rows, table


def test_the_model_copies_by_induction_and_knows_nothing_else(found):
    losses = found[0]["unscrubbed"]  # [example, position]
    first, second = losses[:, :N_TOKENS], losses[:, N_TOKENS + 1 :]
    assert np.allclose(first, np.log(17), atol=1e-3)
    assert np.allclose(second, np.log(1 + 16 * np.exp(-8)), atol=1e-3)


def test_its_heads_have_the_roles_that_were_written_in():
    roles = resolve(head_scores(PLANTED.weights, BOS), THRESHOLDS)
    assert roles.heads == {"prev": (0,), "self": (1,), "first": (), "induction": (0,)}


def test_the_true_hypothesis_recovers_all(found):
    row = found[1]["circuit"]
    assert row["loss_recovered"] == pytest.approx(1, abs=1e-5)
    assert row["ci_low"] == pytest.approx(1, abs=1e-5)
    assert not row["undefined"]


@pytest.mark.parametrize("name", ["without-q", "without-k", "without-v"])
def test_a_hypothesis_that_leaves_out_a_needed_cell_recovers_nothing(found, name):
    assert found[1][name]["loss_recovered"] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("name", ["more-q", "more-k", "more-v"])
def test_a_cell_more_than_the_circuit_changes_no_loss(found, name):
    assert np.allclose(found[0][name], found[0]["circuit"], atol=1e-5)


def test_scrubbing_what_does_not_matter_changes_no_loss(found):
    assert np.allclose(found[0]["idle"], found[0]["unscrubbed"], atol=1e-5)


def test_what_is_kept_is_the_circuit(listed):
    kept = {one.name: one.cells[0] == 0 for one in listed}
    assert kept["circuit"].tolist() == [
        [True, False, False],  # q: E
        [False, True, False],  # k: 0.0
        [True, False, False],  # v: E
    ]
    assert kept["without-k"].sum() == 2 and kept["more-k"].sum() == 4


def test_where_nothing_is_copied_loss_recovered_has_no_number(found):
    # The last token of the first copy, before the first of the second: no bigram to be continued.
    assert np.allclose(found[0]["baseline"][:, N_TOKENS], np.log(17), atol=1e-3)
    table = found[2]
    rows = table.xs("NON-ERB UNCOMMON REPEATS", level="category")
    assert (rows["count"] == 40).all() and rows["undefined"].all()
    assert rows[["loss_recovered", "ci_low", "ci_high"]].isna().all(axis=None)
