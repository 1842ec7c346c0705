"""Verdicts: one rule from numbers to five words, against a count of values; rows to be kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep import tables
from clampsweep.verdicts import LEVEL, OUTCOMES, VERDICTS, Claim, Result, conclude, fault, frame

FULL = Result(estimate=2.0, low=1.0, high=3.0, null=0.0, n=8, p=0.01, q=0.02)


def claim(side="greater", margin=None, **columns):
    own = {"study": "maps", "name": "longer", "subject": "L1N2", "unit": "words", **columns}
    return Claim(side=side, margin=margin, **own)


def judged(result=FULL, side="greater", margin=None, **reasons):
    row = conclude(claim(side, margin), result, "longer", "of 8 prompts all", **reasons)
    assert bool(row["reason"]) == (row["verdict"] in ("untestable", "vacuous"))
    assert fault(row) is None
    return row


# Against a count: what the claim and its opposite say of every value in the interval.

CLAIMS = {
    "greater": (lambda x, m: x > 0, lambda x, m: x < 0),
    "less": (lambda x, m: x < 0, lambda x, m: x > 0),
    "different": (lambda x, m: abs(x) > m, lambda x, m: abs(x) < m),
    "equivalent": (lambda x, m: abs(x) < m, lambda x, m: abs(x) > m),
}


def by_counting(side, margin, low, high, null, q):
    """The verdict, from every half between two whole ends."""
    claimed, opposite = CLAIMS[side]
    values = [at / 2 - null for at in range(2 * low, 2 * high + 1)]
    if q < LEVEL and all(claimed(x, margin) for x in values):
        return "supported"
    return "contradicted" if all(opposite(x, margin) for x in values) else "inconclusive"


whole = st.integers(-6, 6)


@given(
    st.sampled_from(list(CLAIMS)), st.integers(1, 4), st.tuples(whole, whole), whole,
    st.sampled_from([0.0, 0.01, math.nextafter(LEVEL, 0), LEVEL, 0.5, 1.0]), st.booleans(),
)  # fmt: skip
def test_the_verdict_is_what_every_value_of_the_interval_says(side, margin, ends, null, q, bounded):
    low, high = sorted(ends)
    needs = side == "equivalent"
    own = margin if needs or (side == "different" and bounded) else None
    result = Result(estimate=(low + high) / 2, low=low, high=high, null=null, n=5, p=q, q=q)
    expected = by_counting(side, own or 0, low, high, null, q)
    assert judged(result, side, own)["verdict"] == expected


@given(
    st.sampled_from(list(CLAIMS)),
    st.builds(
        Result,
        **{name: st.none() | st.just(math.nan) | whole for name in ("estimate", "null")},
        low=st.none() | st.just(math.nan) | st.integers(-6, 0) | st.just(-math.inf),
        high=st.none() | st.just(math.nan) | st.integers(0, 6) | st.just(math.inf),
        n=st.none() | st.integers(0, 9),
        p=st.none(),
        q=st.none() | st.just(math.nan) | st.floats(0, 1),
    ),
    st.sampled_from(["", "no controls were run"]),
    st.sampled_from(["", "nothing is collapsed"]),
    st.none() | st.just(math.nan) | st.sampled_from([0.01, LEVEL, 0.5]),
)
def test_a_verdict_needs_all_its_numbers_and_a_test_that_can_be_sure(
    side, result, untestable, vacuous, least_q
):
    row = judged(
        result, side, 2 if side == "equivalent" else None,
        untestable=untestable, vacuous=vacuous, least_q=least_q,
    )  # fmt: skip
    needed = [getattr(result, name) for name in ("estimate", "low", "high", "null", "n", "q")]
    missing = any(value is None or math.isnan(value) for value in needed)
    coarse = least_q is not None and least_q >= LEVEL
    if vacuous:
        assert (row["verdict"], row["reason"]) == ("vacuous", vacuous)
    elif untestable or coarse or missing or result.n == 0:
        assert row["verdict"] == "untestable"
        assert row["reason"] == untestable or not untestable
    else:
        assert row["verdict"] in OUTCOMES[:3]
    if row["verdict"] == "supported":
        assert result.q < LEVEL


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (FULL._replace(low=None), "there is no low"),
        (FULL._replace(low=math.nan, high=None), "there is no low and high"),
        (FULL._replace(q=None), "there is no q"),
        (FULL._replace(n=0), "there is no case"),
        (Result(), "there is no estimate, low, high, null, n and q"),
    ],
)
def test_what_a_test_lacks_is_named(result, reason):
    row = judged(result)
    assert (row["verdict"], row["reason"]) == ("untestable", reason)


def test_so_few_cases_that_nothing_can_be_sure_are_untestable_and_say_so():
    assert judged(least_q=0.049)["verdict"] == "supported"
    assert judged(least_q=0.05)["reason"] == "so few cases allow no q below 0.05"


def test_a_one_sided_test_needs_no_bound_on_the_other_side():
    assert judged(FULL._replace(high=math.inf))["verdict"] == "supported"
    assert judged(FULL._replace(low=-math.inf))["verdict"] == "inconclusive"
    assert judged(FULL._replace(low=-math.inf, high=-1.0))["verdict"] == "contradicted"


def test_no_effect_is_a_finding_only_where_equivalence_is_claimed():
    nothing = FULL._replace(estimate=0.0, low=-0.5, high=0.5, q=0.9)
    assert judged(nothing)["verdict"] == judged(nothing, "different")["verdict"] == "inconclusive"
    assert judged(nothing._replace(q=0.01), "equivalent", 1.0)["verdict"] == "supported"
    assert judged(nothing, "different", 1.0)["verdict"] == "contradicted"


def test_a_border_is_neither_side():
    at_null = FULL._replace(low=0.0)
    assert judged(at_null)["verdict"] == "inconclusive"
    assert judged(FULL._replace(low=-3.0, high=0.0))["verdict"] == "inconclusive"
    assert judged(FULL._replace(low=-1.0, high=1.0), "equivalent", 1.0)["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    ("side", "margin", "said"),
    [("more", None, "side 'more'"), ("greater", 1.0, "no margin"), ("equivalent", None, "needs a"),
     ("equivalent", 0.0, "needs a"), ("different", -1.0, "0 or more"),
     ("equivalent", math.nan, "0 or more")],
)  # fmt: skip
def test_a_claim_that_says_nothing_is_refused(side, margin, said):
    with pytest.raises(ValueError, match=said):
        claim(side, margin)


@pytest.mark.parametrize(
    "result", [FULL._replace(low=4.0), FULL._replace(q=1.1), FULL._replace(p=-0.1)]
)
def test_numbers_that_are_no_result_are_refused(result):
    with pytest.raises(ValueError, match="got"):
        judged(result)
    with pytest.raises(ValueError, match="got"):
        judged(result, vacuous="nothing")


# Rows that are to be kept


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"verdict": "longer"}, "none of supported"),
        ({"words": ""}, "no words"),
        ({"why": ""}, "no words"),
        ({"verdict": "untestable"}, "needs a reason"),
        ({"reason": "it seems so"}, "needs no reason"),
        ({"q": 0.5}, "say 'inconclusive'"),
        ({"q": None}, "say 'untestable'"),
        ({"low": math.nan}, "say 'untestable'"),
        ({"low": -1.0}, "say 'inconclusive'"),
        ({"low": -3.0, "high": -1.0}, "say 'contradicted'"),
        ({"side": "less"}, "say 'contradicted'"),
    ],
)
def test_a_row_whose_verdict_does_not_follow_from_it_is_faulty(changed, said):
    assert said in fault(judged() | changed)


def test_numbers_that_a_row_does_not_give_are_null_and_the_table_can_be_kept(tmp_path):
    other = conclude(claim(subject="L1N3"), Result(n=4), "no answer", "so", untestable="no test")
    table = frame([judged(), other])
    tables.write(table, tmp_path / "verdicts.parquet", VERDICTS, {})
    kept = tables.read(tmp_path / "verdicts.parquet", VERDICTS)
    assert kept["estimate"].isna().tolist() == [False, True]
    assert (kept["estimate"][0], kept["n"][1]) == (2.0, 4)
    assert kept.loc[1, ["low", "high", "null", "p", "q", "margin"]].isna().all()
    assert [fault(row) for row in kept.to_dict("records")] == [None, None]


def test_no_verdicts_are_a_table_too(tmp_path):
    tables.write(frame([]), tmp_path / "verdicts.parquet", VERDICTS, {})
    assert tables.read(tmp_path / "verdicts.parquet", VERDICTS).empty
