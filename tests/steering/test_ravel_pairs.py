"""Pairs of base and source against what is asked of each."""

from __future__ import annotations

from collections import Counter

import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.steering.ravel_pairs import RAVEL_PAIRS, pairs
from steering.ravel_planted import PROMPTS, SPLIT, VALUES

SIZE = 90


@pytest.fixture(scope="module")
def drawn(known):
    return pairs(known, ("A", "B"), "train", SIZE, 5)


def test_there_are_so_many_of_each_target_and_aim_and_the_table_can_be_written(drawn, tmp_path):
    counts = Counter(zip(drawn["target"], drawn["aim"], strict=True))
    assert counts == dict.fromkeys([(t, a) for t in "AB" for a in ("cause", "isolate")], SIZE)
    tables.write(drawn, tmp_path / "pairs.parquet", RAVEL_PAIRS, {})


def test_base_and_source_differ_in_what_is_swapped_and_in_what_is_asked(drawn, planted):
    for row in drawn.to_dict("records"):
        base, source = row["base"], row["source"]
        assert SPLIT[base] == SPLIT[source] == row["split"] == "train"
        assert row["asked"] == (
            row["target"] if row["aim"] == "cause" else "AB"[row["target"] == "A"]
        )
        assert VALUES[base][row["target"]] != VALUES[source][row["target"]]
        assert VALUES[base][row["asked"]] != VALUES[source][row["asked"]]
        assert row["template"] in PROMPTS[row["asked"]]
        assert row["source_template"] == row["template"]
        for name in ("base", "source"):
            (token,) = planted.encode(VALUES[row[name]][row["asked"]])
            assert row[f"{name}_token"] == token


def test_bases_are_taken_equally_often_and_sources_answers_too(drawn):
    for (_, _), own in drawn.groupby(["target", "aim"]):
        per_base = own["base"].value_counts()
        assert len(per_base) == 16
        assert per_base.max() - per_base.min() <= 1
        assert own["source_token"].nunique() == 4
        assert own["source_token"].value_counts().min() > SIZE / 4 / 2


def test_the_commonest_answer_does_not_crowd_out_the_others(known):
    # Of the sources that a base with A = 3 may have, nearly all have A = 0.
    rare = {"a", "e", "i", "m"}  # of A: 0, 1, 2, 3
    assert [VALUES[one]["A"] for one in sorted(rare)] == ["0", "1", "2", "3"]
    own = known[known["entity"].map(lambda one: one in rare or VALUES[one]["A"] == "0")]
    of_m = pairs(own, ("A", "B"), "train", 600, 0)
    of_m = of_m[(of_m["aim"] == "cause") & (of_m["target"] == "A") & (of_m["base"] == "m")]
    assert len(of_m) > 50
    shares = of_m["source"].map(lambda one: VALUES[one]["A"]).value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx(dict.fromkeys("012", 1 / 3), abs=0.2)


def test_draws_depend_on_the_seed_and_the_split_alone(known, drawn):
    assert pairs(known, ("A", "B"), "train", SIZE, 5).equals(drawn)
    assert not pairs(known, ("A", "B"), "train", SIZE, 6)["source"].equals(drawn["source"])
    shuffled = known.sample(frac=1, random_state=0)
    held = shuffled[shuffled["split"] == "train"]
    other = pairs(held, ("A", "B"), "train", SIZE, 5)
    assert other["base"].equals(drawn["base"])
    test = pairs(known, ("A", "B"), "test", SIZE, 5)
    assert not set(test["base"]) & {*drawn["base"], *drawn["source"]}


def test_a_source_may_stand_in_a_prompt_that_asks_for_something_else(known):
    own = pairs(known, ("A", "B"), "train", SIZE, 5, sources=("other",))
    asks = {text: name for name, texts in PROMPTS.items() for text in texts}
    assert (own["template"].map(asks) == own["asked"]).all()
    assert (own["source_template"].map(asks) != own["asked"]).all()
    both = pairs(known, ("A", "B"), "train", SIZE, 5, sources=("same", "other"))
    same = (both["template"] == both["source_template"]).mean()
    assert 0.4 < same < 0.6


def test_too_little_knowledge_is_refused_in_one_line(known):
    alike = known[known["entity"].isin(["a", "b"])]  # the same A
    with pytest.raises(
        UserError, match=r"split train: 2 of them are known in all of A, B, and no two.*A can"
    ):
        pairs(alike, ("A", "B"), "train", SIZE, 0)
    with pytest.raises(UserError, match="split val: 0 of them are known"):
        pairs(alike, ("A", "B"), "val", SIZE, 0)
    unknown = known.assign(known=known["attribute"] == "A")
    with pytest.raises(UserError, match="0 of them are known in all"):
        pairs(unknown, ("A", "B"), "train", SIZE, 0)
    with pytest.raises(ValueError, match="2 or more"):
        pairs(known, ["A"], "train", SIZE, 0)
