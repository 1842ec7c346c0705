"""Intervals, exact tests and correction for many tests."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clampsweep import statistics
from shapes import unchecked

Z95 = 1.959963984540054  # the 0.975 quantile of the normal distribution

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def wilson_by_formula(k, n, z=Z95):
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


def mcnemar_by_sum(b, c):
    n = b + c
    tail = sum(Fraction(math.comb(n, i), 2**n) for i in range(min(b, c) + 1))
    return float(min(1, 2 * tail))


def bh_by_loop(p):
    """Adjusted p of each: the smallest p_j * m / rank_j over all p_j at least as large."""
    m = len(p)
    return [
        min(min(1.0, other * m / sum(q <= other for q in p)) for other in p if other >= one)
        for one in p
    ]


def test_wilson_of_the_papers_seven_of_eight():
    low, high = statistics.wilson(7, 8)
    assert (round(low, 3), round(high, 3)) == (0.529, 0.978)


@given(counts)
def test_wilson_follows_the_formula(pair):
    assert statistics.wilson(*pair) == pytest.approx(wilson_by_formula(*pair), abs=1e-9)


@given(counts)
def test_wilson_lies_in_0_to_1_and_holds_the_share(pair):
    low, high = statistics.wilson(*pair)
    assert 0 <= low <= pair[0] / pair[1] <= high <= 1


def test_wilson_ends_at_exactly_0_and_1_for_none_and_all():
    assert statistics.wilson(0, 12)[0] == 0
    assert statistics.wilson(12, 12)[1] == 1


@given(counts)
def test_wilson_of_the_complement_is_mirrored(pair):
    k, n = pair
    low, high = statistics.wilson(k, n)
    assert statistics.wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_wilson_of_nothing_is_nan():
    low, high = statistics.wilson(0, 0)
    assert math.isnan(low)
    assert math.isnan(high)


def test_wilson_at_another_level():
    z90 = 1.6448536269514722
    assert statistics.wilson(3, 11, 0.9) == pytest.approx(wilson_by_formula(3, 11, z90), abs=1e-9)


def test_wilson_gives_plain_floats():
    assert [type(end) for end in statistics.wilson(3, 11)] == [float, float]


def test_wilson_accepts_numpy_counts():
    assert statistics.wilson(np.int64(7), np.int64(8)) == statistics.wilson(7, 8)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 0.0625), (0, 6, 0.03125), (1, 1, 1.0), (3, 3, 1.0),
     (7, 5, 0.7744140625), (1, 7, 0.0703125)],
)  # fmt: skip
def test_mcnemar_of_hand_computed_cases(b, c, p):
    assert statistics.mcnemar_exact(b, c) == pytest.approx(p, abs=1e-12)


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_is_twice_the_smaller_binomial_tail(b, c):
    assert statistics.mcnemar_exact(b, c) == pytest.approx(mcnemar_by_sum(b, c), abs=1e-12)


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_treats_both_directions_alike_and_lies_in_0_to_1(b, c):
    p = statistics.mcnemar_exact(b, c)
    assert 0 < p <= 1
    assert p == pytest.approx(statistics.mcnemar_exact(c, b), abs=1e-12)


def test_bh_of_a_hand_computed_case():
    # ranks: .005 -> .02, .01 -> .02, .03 -> .04, .04 -> .04
    found = statistics.benjamini_hochberg([0.04, 0.005, 0.03, 0.01])
    assert found == pytest.approx([0.04, 0.02, 0.04, 0.02], abs=1e-12)


@given(p_values)
def test_bh_follows_the_naive_loop(p):
    assert statistics.benjamini_hochberg(p) == pytest.approx(bh_by_loop(p), abs=1e-12)


@given(p_values)
def test_bh_keeps_length_and_order_and_only_raises(p):
    found = statistics.benjamini_hochberg(p)
    assert isinstance(found, np.ndarray)
    assert found.shape == (len(p),)
    assert all(low <= high + 1e-15 for low, high in zip(p, found, strict=True))
    assert np.all(found <= 1)
    ordered = found[np.argsort(p, kind="stable")]
    assert np.all(np.diff(ordered) >= 0)


def test_bh_of_one_p_is_that_p():
    assert statistics.benjamini_hochberg([0.2]).tolist() == pytest.approx([0.2])


def test_bh_of_nothing_is_empty():
    assert len(statistics.benjamini_hochberg([])) == 0


# ranks


@pytest.mark.parametrize(
    ("own", "others", "p"),
    [
        (5, [1, 2, 3], 1 / 4),
        (2, [1, 2, 3], 3 / 4),  # a tie counts against
        (0, [1, 2, 3], 1),
        (-1.5, [-2.0, -1.0, -3.0, -4.0], 2 / 5),
        (9, list(range(20)), 12 / 21),
        (9, [], 1),
    ],
)
def test_rank_p_of_hand_computed_cases(own, others, p):
    assert statistics.rank_p(own, others) == pytest.approx(p, abs=1e-15)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=25))
def test_any_of_n_values_has_a_rank_p_of_at_most_a_level_in_at_most_that_share_of_places(values):
    p = [statistics.rank_p(own, values[:i] + values[i + 1 :]) for i, own in enumerate(values)]
    for level in p:
        assert sum(other <= level for other in p) <= level * len(values) + 1e-9


# bounds of a value among others


def test_bounds_among_twenty_others_by_hand():
    # 1 / 21 < 0.05 <= 2 / 21: own must be above all of them, and is by 2; the median is 9.5.
    assert statistics.rank_interval(21.0, range(20)) == (9.5 + 2, 9.5 + 21)
    assert statistics.rank_interval(-3.0, range(20)) == (9.5 - 22, 9.5 - 3)
    # 2 / 41 < 0.05 <= 3 / 41: one of forty may be as high.
    assert statistics.rank_interval(39.5, range(40)) == (19.5 + 1.5, 19.5 + 38.5)


@given(
    st.integers(-40, 40),
    st.lists(st.integers(-30, 30), min_size=1, max_size=150),
    st.sampled_from([0.05, 0.1, 0.5]),
)
def test_a_bound_is_beyond_the_median_exactly_if_the_rank_test_is_sure(own, others, level):
    low, high = statistics.rank_interval(own, others, level)
    null = float(np.median(others))
    assert low <= high
    assert (low > null) == (statistics.rank_p(own, others) < level)
    assert (high < null) == (statistics.rank_p(-own, [-other for other in others]) < level)
    moved = statistics.rank_interval(own + 7, others, level)  # the bounds move with the value
    assert moved == (low + 7, high + 7)


@pytest.mark.parametrize("n", [1, 10, 19])
def test_too_few_others_give_no_bound(n):
    assert statistics.rank_interval(1e9, range(n)) == (-math.inf, math.inf)


# cluster bootstrap


def columns(*rows):
    """Array [cluster, row] from one list of clusters per row."""
    return np.array(rows, dtype=float).T


def every_draw(parts, wholes):
    """Sorted shares of all equally likely draws with replacement that hold a whole."""
    places = itertools.product(range(len(parts)), repeat=len(parts))
    sums = [(sum(parts[i] for i in draw), sum(wholes[i] for i in draw)) for draw in places]
    return sorted(part / whole for part, whole in sums if whole)


@pytest.mark.parametrize(
    ("parts", "wholes"),
    [
        ([0, 3, 1, 5, 2], [5, 5, 5, 5, 5]),
        ([1, 0, 4, 9, 2], [2, 1, 7, 10, 6]),
        ([1, 0, 0, 2, 0], [2, 0, 0, 3, 4]),  # two clusters have no whole
        ([1, 0, 0, 0, 0], [1, 2, 0, 0, 0]),  # three have none: some draws are empty
        ([-3, 2, 0, 5, -1], [5, 5, 5, 5, 5]),  # a net
    ],
)
def test_the_ends_are_quantiles_over_all_draws_of_clusters(parts, wholes):
    found = statistics.cluster_bootstrap(columns(parts), columns(wholes))[0]
    exact = every_draw(parts, wholes)
    for end, level in zip(found, (0.025, 0.975), strict=True):
        error = 4 * math.sqrt(level * (1 - level) / 4000)
        low, high = np.quantile(exact, [max(0, level - error), min(1, level + error)])
        assert low - 1e-12 <= end <= high + 1e-12


def test_the_interval_agrees_with_scipys_percentile_bootstrap():
    rng = np.random.default_rng(3)
    wholes = rng.integers(1, 20, 25)
    parts = rng.binomial(wholes, rng.beta(2, 2, 25))

    def share(part, whole, axis):
        return part.sum(axis=axis) / whole.sum(axis=axis)

    expected = stats.bootstrap(
        (parts, wholes), share, paired=True, vectorized=True, method="percentile",
        n_resamples=40_000, rng=np.random.default_rng(4),
    ).confidence_interval  # fmt: skip
    found = statistics.cluster_bootstrap(columns(parts), columns(wholes), 40_000)[0]
    width = expected.high - expected.low
    assert found == pytest.approx((expected.low, expected.high), abs=0.02 * width)


def test_two_clusters_give_their_own_shares_as_ends():
    # Draws: A A, A B, B A, B B, so a quarter lies on either end.
    found = statistics.cluster_bootstrap(columns([1, 9]), columns([10, 12]))
    assert found[0].tolist() == [0.1, 0.75]


@pytest.mark.parametrize(
    ("parts", "wholes"),
    [([3], [5]), ([3, 0, 0], [5, 0, 0]), ([0, 0, 0], [0, 0, 0])],
)
def test_fewer_than_two_clusters_with_a_whole_give_nan(parts, wholes):
    assert np.isnan(statistics.cluster_bootstrap(columns(parts), columns(wholes))).all()


def test_no_rows_and_no_clusters_give_no_intervals():
    assert statistics.cluster_bootstrap(np.empty((5, 0)), np.empty((5, 0))).shape == (0, 2)
    assert statistics.cluster_bootstrap(np.empty((0, 0)), np.empty((0, 0))).shape == (0, 2)


def test_a_row_does_not_depend_on_the_others_beside_it():
    rng = np.random.default_rng(5)
    wholes = rng.integers(0, 4, (6, 600)).astype(float)
    parts = rng.binomial(wholes.astype(int), 0.4).astype(float)
    together = statistics.cluster_bootstrap(parts, wholes, 500)
    for row in (0, 1, 255, 256, 257, 511, 512, 599):
        alone = statistics.cluster_bootstrap(parts[:, [row]], wholes[:, [row]], 500)
        assert alone[0] == pytest.approx(together[row], nan_ok=True, abs=1e-12)


def test_the_seed_decides_the_draws():
    parts, wholes = columns([1, 7, 4, 2, 9]), columns([11, 13, 17, 19, 23])
    first, again, other = (statistics.cluster_bootstrap(parts, wholes, 99, s) for s in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


def test_the_interval_covers_where_pairs_of_a_cluster_are_alike_and_wilson_does_not():
    rng = np.random.default_rng(6)
    n_clusters, n_pairs, n_tables = 40, 5, 600
    rates = rng.beta(0.6, 1.4, (n_clusters, n_tables))  # mean 0.3
    parts = rng.binomial(n_pairs, rates).astype(float)
    ends = statistics.cluster_bootstrap(parts, np.full(parts.shape, float(n_pairs)), 1000)
    wilson = np.array([statistics.wilson(int(k), n_clusters * n_pairs) for k in parts.sum(0)])
    covers = [((each[:, 0] <= 0.3) & (each[:, 1] >= 0.3)).mean() for each in (ends, wilson)]
    assert 0.92 <= covers[0] <= 0.98
    assert covers[1] < 0.85


def dealt(labels, units, strata, n_draws=500, seed=0):
    arrays = (np.array(labels, dtype=bool), np.array(units), np.array(strata))
    return statistics.permuted_labels(*arrays, n_draws, seed)


def test_labels_are_dealt_out_within_their_stratum():
    labels, strata = [1, 1, 1, 0, 0, 1, 0, 0], [5, 5, 2, 2, 2, 2, 2, 5]
    found = dealt(labels, range(8), strata)
    assert found.shape == (500, 8)
    for stratum in (2, 5):
        inside = [place for place, own in enumerate(strata) if own == stratum]
        n = sum(labels[place] for place in inside)
        assert (found[:, inside].sum(1) == n).all()
        assert len({tuple(row) for row in found[:, inside]}) == math.comb(len(inside), n)


def test_items_of_a_unit_get_one_label():
    units = [0, 1, 0, 2, 2, 1, 3, 0]
    found = dealt([1, 0, 1, 1, 1, 0, 0, 1], units, [0] * 8)
    for unit in range(4):
        own = found[:, [place for place, other in enumerate(units) if other == unit]]
        assert (own == own[:, :1]).all()
    assert len({tuple(row) for row in found}) == math.comb(4, 2)


def test_all_ways_to_deal_out_labels_are_equally_likely():
    found = dealt([1, 1, 0, 0, 0, 1, 0], range(7), [0, 0, 0, 0, 0, 1, 1], n_draws=20_000)
    ways, n = np.unique(found, axis=0, return_counts=True)
    assert len(ways) == math.comb(5, 2) * 2
    assert stats.chisquare(n).pvalue > 1e-4


def test_the_seed_decides_how_labels_are_dealt_out():
    arguments = ([1, 0, 1, 0, 1, 0], range(6), [0] * 6)
    assert (dealt(*arguments) == dealt(*arguments)).all()
    assert (dealt(*arguments) != dealt(*arguments, seed=1)).any()


# sign flips of clusters

few_nets = st.lists(st.integers(-4, 4), min_size=1, max_size=8)


def every_flip(nets):
    """Share of all equally likely signs that bring the sum as far from 0."""
    ways = list(itertools.product([1, -1], repeat=len(nets)))
    far = sum(
        abs(sum(s * net for s, net in zip(way, nets, strict=True))) >= abs(sum(nets))
        for way in ways
    )
    return far / len(ways)


def flipped(*nets):
    return statistics.sign_flip(columns(*nets)).tolist()


@pytest.mark.parametrize(
    ("nets", "p"),
    [
        ([5], 1),
        ([1, 1], 2 / 4),
        ([3, 2, 1], 2 / 8),
        ([3, 2, -1], 4 / 8),  # 3 2 -1 and 3 2 1, and both reversed
        ([2, -2, 1], 1),
        ([-1, -2, -3, -4, -5, -6], 2 / 64),
        ([0, 0, 0], 1),
        ([4, 0, 4, 0, 4], 2 / 8),
    ],
)
def test_sign_flips_of_hand_counted_cases(nets, p):
    assert flipped(nets) == [p]


@given(few_nets)
def test_up_to_12_clusters_every_flip_is_tried(nets):
    assert flipped(nets) == [pytest.approx(every_flip(nets), abs=1e-12)]


@given(few_nets, st.integers(0, 20))
def test_clusters_whose_net_is_0_are_of_no_account(nets, n_zeros):
    padded = [*nets[:1], *[0] * n_zeros, *nets[1:]]
    assert flipped(padded) == flipped(nets)


@given(st.integers(0, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_clusters_of_one_prompt_reproduce_exact_mcnemar(pair):
    b, n = pair
    nets = [1] * b + [-1] * (n - b) + [0] * 30
    assert flipped(nets) == [pytest.approx(mcnemar_by_sum(b, n - b), abs=1e-12)]


@pytest.mark.parametrize(("b", "c"), [(13, 0), (40, 20), (30, 30), (26, 16), (9, 60)])
def test_many_clusters_of_one_prompt_come_near_exact_mcnemar(b, c):
    exact = mcnemar_by_sum(b, c)
    error = 4 * math.sqrt(exact * (1 - exact) / 4096) + 1 / 4097
    assert flipped([1] * b + [-1] * c) == [pytest.approx(exact, abs=error)]


@pytest.mark.parametrize("n", [2, 7, 12])
def test_sign_flips_agree_with_scipys_permutations_of_paired_samples(n):
    nets = np.random.default_rng(n).integers(-6, 9, n)
    expected = stats.permutation_test(
        (nets, np.zeros_like(nets)), lambda x, y: abs((x - y).sum()), permutation_type="samples",
        alternative="greater", n_resamples=math.inf,
    )  # fmt: skip
    assert flipped(nets) == [pytest.approx(expected.pvalue, abs=1e-12)]


def test_random_sign_flips_agree_with_scipys():
    nets = np.random.default_rng(0).integers(-6, 9, 40)
    expected = stats.permutation_test(
        (nets, np.zeros_like(nets)), lambda x, y, axis: abs((x - y).sum(axis)), vectorized=True,
        permutation_type="samples", alternative="greater", n_resamples=20_000,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert 0.001 < expected.pvalue < 0.5
    assert flipped(nets) == [pytest.approx(expected.pvalue, rel=0.2)]


@pytest.mark.parametrize("n", range(1, 13))
def test_n_clusters_with_a_net_allow_no_p_below_two_in_two_to_the_n(n):
    rng = np.random.default_rng(n)
    rows = rng.integers(1, 50, (200, n)) * rng.choice([-1, 1], (200, n))
    assert min(flipped(*rows, [1] * n)) == 2 / 2**n


def test_random_flips_allow_no_p_below_one_in_4097():
    assert flipped([7] * 60) == [1 / 4097]


@given(few_nets)
def test_neither_the_direction_nor_the_order_of_clusters_matters(nets):
    assert flipped(nets) == flipped([-net for net in nets]) == flipped(nets[::-1])


def test_rows_with_few_and_many_clusters_do_not_depend_on_each_other():
    rng = np.random.default_rng(8)
    shares = rng.choice([0.05, 0.4, 1.0], 600)  # of the 30 clusters that change
    nets = (rng.integers(-5, 6, (30, 600)) * (rng.random((30, 600)) < shares)).astype(float)
    together = statistics.sign_flip(nets)
    n_changed = (nets != 0).sum(0)
    assert {bool(few) for few in n_changed <= 12} == {False, True}
    for row in (*range(20), 255, 256, 257, 511, 512, 599):
        assert statistics.sign_flip(nets[:, [row]])[0] == together[row]
        few = nets[nets[:, row] != 0, row]
        if 0 < len(few) <= 10:
            assert together[row] == pytest.approx(every_flip(few.tolist()), abs=1e-12)


def test_sign_flips_of_no_rows_and_of_no_clusters():
    assert statistics.sign_flip(np.empty((5, 0))).tolist() == []
    assert statistics.sign_flip(np.empty((20, 0))).tolist() == []
    assert statistics.sign_flip(np.empty((0, 3))).tolist() == [1, 1, 1]


@pytest.mark.parametrize("n", [0, 1, 3, 12])
def test_flips_of_few_things_are_every_way_once_the_given_signs_first(n):
    found = statistics.flips(n)
    assert found[0].tolist() == [1] * n
    assert sorted(found.tolist()) == sorted(map(list, itertools.product([-1, 1], repeat=n)))


def test_flips_of_many_things_are_drawn_by_seed_the_given_signs_first():
    found, again, other = (statistics.flips(30, 500, seed) for seed in (3, 3, 4))
    assert found.shape == (501, 30)
    assert found[0].tolist() == [1] * 30
    assert set(np.unique(found)) == {-1, 1}
    assert found.tolist() == again.tolist() != other.tolist()
    assert abs(found[1:].mean()) < 4 / math.sqrt(500 * 30)
    assert np.abs(np.corrcoef(found[1:].T) - np.eye(30)).max() < 5 / math.sqrt(500)


NAN = float("nan")
ONES = np.ones((3, 2))


@pytest.mark.parametrize(
    ("function", "given", "kind", "said"),
    [
        ("wilson", (1.5, 3), TypeError, "k: got 1.5; write a whole number"),
        ("wilson", (-1, 3), ValueError, "k: got -1; allowed: 0 or more"),
        ("wilson", (1, NAN), TypeError, "n: got nan; write a whole number"),
        ("mcnemar_exact", (1.5, 2), TypeError, "b: got 1.5; write a whole number"),
        ("mcnemar_exact", (1, "2"), TypeError, "c: got '2'; write a whole number"),
        ("benjamini_hochberg", (0.5,), ValueError, "p: got 0.5; write a list of p values"),
        ("rank_p", (NAN, [1.0, 2.0]), ValueError, "a value is nan"),
        ("rank_p", (1.5, [1.0, NAN]), ValueError, "a value is nan"),
        ("rank_interval", (1.0, []), ValueError, "got 1.0, others []"),
        ("rank_interval", (1.0, [NAN]), ValueError, "got 1.0, others [nan]"),
        ("rank_interval", (1.0, [1.0], 5), ValueError, "got 1.0, others [1.0], level 5"),
        ("cluster_bootstrap", (ONES, ONES[:2]), ValueError, "got parts of shape (3, 2), wholes"),
        ("cluster_bootstrap", (ONES, -ONES), ValueError, "got parts of shape (3, 2), wholes"),
        ("cluster_bootstrap", (ONES[0], ONES[0]), ValueError, "parts: got array([1., 1.])"),
        ("sign_flip", (ONES[0],), ValueError, "nets: got array([1., 1.]); write finite numbers"),
        ("sign_flip", (ONES * NAN,), ValueError, "nets: got array([[nan, nan]"),
    ],
)
def test_input_without_an_answer_is_refused_in_one_line(function, given, kind, said):
    with unchecked(), pytest.raises(kind) as caught:
        getattr(statistics, function)(*given)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)
