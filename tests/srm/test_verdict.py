"""Verdicts of spotlight resonance: what they take from the tables, and what they say of it."""

from __future__ import annotations

import numpy as np
import pytest

from clampsweep import tables
from clampsweep.studies.srm.plane import Srm
from clampsweep.studies.srm.verdict import judge
from clampsweep.verdicts import VERDICTS
from srm_tables import NEURONS, at, names, see, text


def concluded(rows, group_by=("type",)):
    """The verdicts, by claim and factor, and the tables that they are drawn from."""
    found = see(rows, basis=NEURONS, group_by=group_by)
    srm = Srm("c.yaml", NEURONS, group_by, (0.3,))
    frame = judge(found.groups, found.differences, srm).verdicts
    assert set(frame["study"]) == {"srm"} and set(frame["subject"]) == {"plane of L1N1 and L1N2"}
    return frame.set_index(["claim", "by"]), found


def noise(push=0.0, cores="abcdefgh"):
    """Texts around 45 degrees, those of type rhetorical pushed towards 135."""
    rng = np.random.default_rng(0)
    rows = []
    for name in names(cores=cores, types=("declarative", "rhetorical")):
        away = np.array(at(135, push)) if "rhet" in name else 0
        rows.append(text(name, np.array(at(45, 3.0)) + rng.normal(size=5) + away))
        rows.append(text(name, np.array(at(45, 3.0)) + rng.normal(size=5), 1.0))
    return rows


def test_groups_that_differ_are_told_by_their_largest_difference():
    frame, found = concluded(noise(push=3.0))
    row, pair = frame.loc[("groups differ", "type")], found.differences.iloc[0]
    assert (row["verdict"], row["words"]) == ("supported", "groups differ")
    assert row["null"] == pair["expected"] < row["low"]
    assert [row[name] for name in ("estimate", "p", "q")] == [
        pair[name] for name in ("distance", "p", "q")
    ]
    assert row["n"] == pair["n_a"] + pair["n_b"] == 48 and row["why"].startswith("1 of 1 pair")


def test_no_effect_and_no_answer_are_told_apart():
    nothing = concluded(noise())[0].loc[("groups differ", "type")]
    assert (nothing["verdict"], nothing["words"]) == ("inconclusive", "no effect")
    rows = [text(f"{core}/{kind}/1", at(90 * (kind == "y"))) for core in "ab" for kind in "xy"]
    rows += [text(f"{core}/x/1", at(0), 1.0) for core in "ab"]
    few = concluded(rows)[0].loc[("groups differ", "type")]
    assert (few["verdict"], few["words"]) == ("untestable", "cannot tell: too few prompts")
    assert "no p below" in few["why"] and "no p below" in few["reason"]
    alone = [text("a/x/1", at(0)), text("a/x/1", at(0), 1.0)]
    said = concluded(alone)[0]
    assert set(said["verdict"]) == {"untestable"}
    assert said.loc[("groups differ", "type"), "words"] == "nothing to compare"
    assert said.loc[("plane is special", ""), "words"].startswith("cannot tell")


@pytest.mark.parametrize(
    ("scale", "verdict", "words"),
    [(4.0, "supported", "special"), (1.0, "inconclusive", "no effect"),
     (0.05, "contradicted", "less than a random plane")],
)  # fmt: skip
def test_the_plane_is_held_against_one_drawn_at_random(scale, verdict, words):
    rng = np.random.default_rng(1)
    weights = np.array([1.0, scale, scale, 1, 1, 1, 1, 1, 1])
    rows = [text(n, rng.normal(size=9) * weights) for n in names(cores="abcdefgh")]
    frame, found = concluded([*rows, text(rows[0]["prompt_id"], np.ones(9), 1.0)])
    row, whole = frame.loc[("plane is special", "")], found.groups.iloc[0]
    assert (row["verdict"], row["words"]) == (verdict, words)
    assert row["p"] == row["q"] == whole["power_p"]
    assert [row[name] for name in ("low", "estimate", "high", "null")] == [
        whole[name] for name in ("power_low", "mean_power", "power_high", "expected_power")
    ]


def test_verdicts_can_be_written_and_read_back(tmp_path):
    frame = concluded(noise(), group_by=("type", "core", "clamp"))[0].reset_index()
    frame = frame[list(VERDICTS.columns)]
    tables.write(frame, tmp_path / "verdicts.parquet", VERDICTS, {})
    assert tables.read(tmp_path / "verdicts.parquet", VERDICTS).equals(frame)
