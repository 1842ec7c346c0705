from __future__ import annotations

import pandas as pd
import pytest

from clampsweep import ledger
from clampsweep.studies.universal.claims import roles
from clampsweep.studies.universal.claims.roles import claims
from universal.roles.rows_of_roles import rows


def verdicts(found: list) -> dict[tuple[str, str, str], str]:
    return {(row["claim"], row["subject"], row["by"]): row["verdict"] for row, _ in found}


def test_planted_effects_are_supported_and_ranks_kept():
    found = verdicts(claims(rows(), begins=False))
    for name in (roles.RAISE, roles.LOWER, roles.MOVE_ENTROPY, roles.MOVE_SCALE, roles.IN_USE):
        assert found[name, "5 candidates", "matched neurons"] == "supported", name
    assert found[roles.MOVE_ENTROPY, "5 candidates", roles.PLAIN_NEURONS] == "supported"
    assert found[roles.RAISE, "L5N3", "matched neurons"] == "supported"
    assert found[roles.KEEP_RANKS, "5 candidates", ""] == "supported"
    assert found[roles.KEEP_LOSS, "5 candidates", ""] == "supported"


def test_the_opposite_is_contradicted():
    found = verdicts(claims(rows(effect=-1.0), begins=False))
    assert found[roles.RAISE, "5 candidates", "matched neurons"] == "contradicted"
    assert found[roles.LOWER, "5 candidates", "matched neurons"] == "contradicted"


def test_ranks_that_move_are_not_kept():
    found = verdicts(claims(rows(rank=0.5), begins=False))
    assert found[roles.KEEP_RANKS, "5 candidates", ""] == "contradicted"


def test_where_candidates_do_nothing_of_their_own_nothing_is_supported():
    found = verdicts(claims(rows(effect=0.0), begins=False))
    kept = (roles.KEEP_RANKS, roles.KEEP_LOSS)
    assert {word for (name, _, _), word in found.items() if name not in kept} <= {
        "inconclusive", "untestable", "contradicted"
    }  # fmt: skip


@pytest.mark.parametrize("begins", [True, False])
def test_without_candidates_all_is_untestable_and_says_why(begins, tmp_path):
    made = claims(rows(0), begins)
    assert set(verdicts(made).values()) == {"untestable"}
    reasons = {row["claim"]: row["reason"] for row, _ in made}
    assert ("BOS" in reasons[roles.ATTEND]) != begins
    ledger.write(ledger.conclusions(made), tmp_path / "v.parquet", tmp_path / "l.parquet", {})


@pytest.mark.parametrize("n", [1, 2, 5])
def test_what_is_concluded_can_be_kept(n, tmp_path):
    made = claims(rows(n), begins=False)
    ledger.write(ledger.conclusions(made), tmp_path / "v.parquet", tmp_path / "l.parquet", {})


def test_one_candidate_is_judged_by_its_rank_alone():
    found = verdicts(claims(rows(1), begins=False))
    assert found[roles.RAISE, "1 candidate", "matched neurons"] == "untestable"
    assert found[roles.RAISE, "L5N0", "matched neurons"] == "supported"


def test_attention_neurons_are_held_against_theirs():
    own = rows()
    looked = own[own["role"] == "prediction"].assign(role="attention", measure="to_bos")
    found = verdicts(claims(pd.concat([own, looked]), begins=True))
    assert found[roles.ATTEND, "5 candidates", "matched neurons"] == "supported"
