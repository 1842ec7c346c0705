"""Text metrics: hand-computed examples, and brute force for any text."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factories
import oracles
from clampsweep import tables
from clampsweep.texts import metrics
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.metrics import (
    FURTHER_METRICS,
    PUBLISHED_METRICS,
    TEXT_METRICS,
    longest_periodic_suffix,
    table,
    words,
)
from oracles import suffix_by_search, words_by_scan

# Few symbols, so that repeats, sentence ends and odd whitespace are common.
texts = st.text(st.sampled_from("ab.?! \n\t\u00a0\u2028é1"), max_size=30) | st.text(max_size=30)
tokens = st.lists(st.integers(0, 2), max_size=40) | st.lists(st.integers(0, 50000), max_size=12)


def published(text, name):
    return metrics.published(text)[name]


def further(text, ids, name):
    return metrics.further(text, ids)[name]


# Words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("one", ["one"]),
        ("The cat, the CAT.", ["The", "cat,", "the", "CAT."]),
        ("  a\n\nb\tc\u00a0d\u2003e ", ["a", "b", "c", "d", "e"]),
        ("a\u200bb don't-split 'x'", ["a\u200bb", "don't-split", "'x'"]),
    ],
)
def test_words_are_runs_of_non_whitespace_with_case_and_punctuation(text, expected):
    assert words(text) == expected


@given(texts)
def test_words_of_any_text_are_those_of_a_scan(text):
    assert words(text) == words_by_scan(text)


# The six published metrics


def test_all_published_metrics_of_one_text():
    # Words: the cat sat. the cat ran! The end? (8 words, "the" and "cat" twice)
    found = metrics.published("the cat sat. the cat ran! The end?")
    assert found == {
        "total_tokens": 8,
        "unique_tokens": 6,
        "token_entropy": pytest.approx(2 * (2 / 8) * 2 + 4 * (1 / 8) * 3),
        "num_sentences": 3,
        "avg_sentence_length": pytest.approx(8 / 3),
        "num_repeated_bigrams": 1,
    }


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0\u2028"])
def test_a_blank_text_has_no_published_metrics(text):
    assert metrics.published(text) == dict.fromkeys(PUBLISHED_METRICS)


def test_the_keys_are_those_of_the_tables():
    assert list(metrics.published("a b")) == list(PUBLISHED_METRICS)
    assert list(metrics.further("a b", [1, 2])) == list(FURTHER_METRICS)


@pytest.mark.parametrize(
    ("text", "total", "unique"),
    [("a", 1, 1), ("a A a", 3, 2), ("a a. a", 3, 2), ("\n a  b \t", 2, 2)],
)
def test_total_and_unique_count_words(text, total, unique):
    assert published(text, "total_tokens") == total
    assert published(text, "unique_tokens") == unique


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("a", 0),
        ("a a a a", 0),
        ("a b", 1),
        ("a a b b", 1),
        ("a b c d", 2),
        ("a a b c", 1.5),
        ("a a a b", 0.8112781244591328),
        ("a b c", 1.584962500721156),
    ],
)
def test_entropy_is_in_bits_over_words(text, bits):
    assert published(text, "token_entropy") == pytest.approx(bits, abs=1e-12)


@pytest.mark.parametrize("text", ["a", "a a a", "x " * 57])
def test_entropy_of_one_distinct_word_is_exactly_zero(text):
    entropy = published(text, "token_entropy")
    assert entropy == 0
    assert math.copysign(1, entropy) == 1, "not minus zero"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Hello", 1),
        ("Hello.", 1),
        ("Hello. World", 2),
        ("Hello. World.", 2),
        ("Hello.World.", 1),
        ("Really?! Yes.", 2),
        ("Wait... what?", 2),
        ("...", 1),
        (".", 1),
        (". . .", 1),
        ("! ? a", 1),
        ("!!! ?? .", 3),
        ("Hello. .", 2),
        ("Hello. . ", 1),
        ("It costs 3.14 dollars. Cheap!", 2),
        ("Dr. Who", 2),
        ("One.\n\nTwo.\tThree.  ", 3),
        ("One.\u00a0Two", 2),
        ('He said "no." Then left.', 1),
        ("one; two: three, four", 1),
        ("漢字。 漢字。", 1),
    ],
)
def test_sentences_end_at_a_mark_before_whitespace_or_with_the_text(text, count):
    assert published(text, "num_sentences") == count


@pytest.mark.parametrize(
    ("text", "mean"), [("a b c. d", 2.0), ("a b c", 3.0), ("a. b. c d e", 5 / 3)]
)
def test_sentence_length_is_words_per_sentence(text, mean):
    assert published(text, "avg_sentence_length") == pytest.approx(mean)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a", 0),
        ("a b", 0),
        ("a b a", 0),
        ("a b a b", 1),
        ("a b a b a", 2),
        ("a a a", 1),
        ("a a", 0),
        ("a b. a b", 0),
        ("A b a b", 0),
        ("a b c a b d a b", 1),
    ],
)
def test_repeated_bigrams_are_counted_once_each(text, count):
    assert published(text, "num_repeated_bigrams") == count


@given(texts)
def test_published_metrics_follow_brute_force(text):
    expected = oracles.published_metrics(text)
    assert metrics.published(text) == {
        name: None if value is None else pytest.approx(value, abs=1e-9)
        for name, value in expected.items()
    }


@given(texts.filter(str.strip))
def test_published_metrics_stay_in_their_bounds(text):
    found = metrics.published(text)
    assert 1 <= found["unique_tokens"] <= found["total_tokens"]
    assert 0 <= found["token_entropy"] <= math.log2(found["unique_tokens"]) + 1e-9
    assert found["num_sentences"] >= 1
    assert found["num_repeated_bigrams"] <= max(0, (found["total_tokens"] - 1) // 2)


# Further metrics over model tokens


@pytest.mark.parametrize(
    ("ids", "one", "two", "three"),
    [
        ([1, 2, 1, 2, 1], 2 / 5, 2 / 4, 2 / 3),
        ([1, 1, 1, 1], 1 / 4, 1 / 3, 1 / 2),
        ([1, 2, 3, 4], 1, 1, 1),
        ([7, 7], 1 / 2, 1, None),
        ([7], 1, None, None),
    ],
)
def test_distinct_n_is_distinct_ngrams_over_ngrams(ids, one, two, three):
    assert further("x", ids, "distinct_1") == one
    assert further("x", ids, "distinct_2") == two
    assert further("x", ids, "distinct_3") == (None if three is None else pytest.approx(three))


@pytest.mark.parametrize(
    ("ids", "share"),
    [
        ([1, 2, 3], None),
        ([1, 1, 1, 1], 0),
        ([1, 1, 1, 1, 1], 1 / 2),
        ([1, 2, 1, 2, 1, 2], 1 / 3),
        ([1, 2, 3, 4, 9, 1, 2, 3, 4], 1 / 6),
        ([1, 2, 3, 4, 5], 0),
    ],
)
def test_rep_4_is_the_share_of_4grams_seen_before(ids, share):
    assert further("x", ids, "rep_4") == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize("ids", [None, [], ()])
def test_without_tokens_the_token_metrics_are_null_and_the_others_are_not(ids):
    found = metrics.further("some text!", ids)
    for name in ("distinct_1", "distinct_2", "distinct_3", "rep_4", "loop_period", "loop_coverage"):
        assert found[name] is None, name
    for name in ("zlib_ratio", "symbol_share", "nonletter_share"):
        assert found[name] is not None, name


@given(texts, tokens)
def test_token_metrics_follow_brute_force(text, ids):
    found = metrics.further(text, ids)
    for n in (1, 2, 3):
        grams = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
        expected = pytest.approx(len(set(grams)) / len(grams)) if grams else None
        assert found[f"distinct_{n}"] == expected
    fours = [tuple(ids[i : i + 4]) for i in range(len(ids) - 3)]
    seen = sum(gram in fours[:i] for i, gram in enumerate(fours))
    assert found["rep_4"] == (pytest.approx(seen / len(fours)) if fours else None)


# Loops


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], None),
        ([1], None),
        ([1, 1], None),
        ([1, 1, 1], (1, 3)),
        ([2, 1, 1, 1], (1, 3)),
        ([1, 1, 1, 2], None),
        ([1, 2, 1, 2], None),
        ([1, 2, 1, 2, 1], (2, 5)),
        ([9, 1, 2, 1, 2, 1, 2], (2, 6)),
        ([1, 1, 1, 1, 1, 1], (1, 6)),
        ([1, 2, 3, 1, 2, 3, 1], None),
        ([1, 2, 3, 1, 2, 3, 1, 2], (3, 8)),
        # ...2 2 2 at the end has period 1 and length 3; the whole has period 4 and length 11.
        ([2, 2, 2, 1, 2, 2, 2, 1, 2, 2, 2], (4, 11)),
    ],
)
def test_the_longest_periodic_suffix_of_hand_made_loops(ids, expected):
    assert longest_periodic_suffix(ids) == expected


def test_period_32_is_found_and_33_is_not():
    assert longest_periodic_suffix([*range(32)] * 3) == (32, 96)
    assert longest_periodic_suffix([*range(33)] * 4) is None


def test_a_loop_of_period_32_needs_80_tokens():
    loop = [*range(32)] * 3
    assert longest_periodic_suffix(loop[:80]) == (32, 80)
    assert longest_periodic_suffix(loop[:79]) is None


@given(tokens)
def test_the_longest_periodic_suffix_is_that_of_a_search(ids):
    assert longest_periodic_suffix(ids) == suffix_by_search(ids)


@given(tokens, st.integers(1, 6), st.sampled_from([1.5, 2.0, 2.5, 3.0]))
def test_period_and_repeats_can_be_chosen(ids, max_period, min_repeats):
    found = longest_periodic_suffix(ids, max_period, min_repeats)
    assert found == suffix_by_search(ids, max_period, min_repeats)


@given(
    st.lists(st.integers(0, 5), max_size=20),
    st.lists(st.integers(0, 5), min_size=1, max_size=32),
    st.integers(3, 4),
)
def test_a_planted_loop_is_found(before, unit, repeats):
    found = longest_periodic_suffix([*before, *(unit * repeats)])
    assert found is not None
    assert found[1] >= len(unit) * repeats


def test_period_and_coverage_describe_the_loop():
    found = metrics.further("x", [9, 8, 7, 1, 2, 1, 2, 1])
    assert (found["loop_period"], found["loop_coverage"]) == (2, 5 / 8)


def test_a_text_without_loop_has_no_period():
    found = metrics.further("x", [1, 2, 3, 4])
    assert found["loop_period"] is None
    assert found["loop_coverage"] in (None, 0)


# Further metrics over characters


@pytest.mark.parametrize(
    ("text", "symbols", "nonletters"),
    [
        ("abc", 0, 0),
        ("a!", 1 / 2, 1 / 2),
        ("a1! b", 1 / 5, 2 / 4),
        ("  a!", 1 / 4, 1 / 2),
        ("12 34", 0, 1),
        ("?!", 1, 1),
        ("   ", 0, None),
        ("漢é", 0, 0),
        ("a🙂", 1 / 2, 1 / 2),
        ("", None, None),
    ],
)
def test_symbol_and_nonletter_shares(text, symbols, nonletters):
    assert further(text, [1], "symbol_share") == symbols
    assert further(text, [1], "nonletter_share") == nonletters


def test_zlib_ratio_is_compressed_bytes_over_bytes_at_level_9():
    numbers = "".join(f"{i} {i * i} {i % 7} the cat; " for i in range(300))
    for text in ("é" * 100, "a", "   ", "the cat sat on the mat", numbers):
        content = text.encode()
        expected = len(zlib.compress(content, 9)) / len(content)
        assert further(text, None, "zlib_ratio") == pytest.approx(expected)
    assert further("", None, "zlib_ratio") is None


def test_a_loop_compresses_better_than_noise():
    noise = "".join(map(chr, np.random.default_rng(0).integers(33, 127, 400)))
    assert further("so " * 133, None, "zlib_ratio") < 0.1 < 0.8 < further(noise, None, "zlib_ratio")


@given(texts, st.none() | tokens)
def test_further_metrics_are_null_or_in_bounds(text, ids):
    found = metrics.further(text, ids)
    shares = set(FURTHER_METRICS) - {"zlib_ratio", "loop_period"}
    assert all(found[name] is None or 0 <= found[name] <= 1 for name in shares)
    assert found["loop_period"] is None or 1 <= found["loop_period"] <= 32
    assert (found["zlib_ratio"] is None) == (text == "")


@given(texts)
def test_character_shares_follow_brute_force(text):
    found = metrics.further(text, None)
    for name, value in oracles.character_metrics(text).items():
        assert found[name] == (None if value is None else pytest.approx(value)), name


# The table


@pytest.fixture
def generations():
    rows = [
        factories.baseline("p", "the cat the cat", tokens=[5, 6, 5, 6, 5]),
        factories.generation("p", "   ", 10.0, tokens=[9]),
        factories.generation("p", "", 20.0, tokens=[]),
        factories.generation("q", "a b", 10.0, tokens=None, target="L1N2+L3N4"),
    ]
    return factories.frame(rows, GENERATIONS)


def test_the_table_carries_the_metrics_of_each_row(generations):
    found = table(generations)
    for row, text, ids in zip(
        found.to_dict("records"), generations["text"], generations["token_ids"], strict=True
    ):
        expected = metrics.published(text) | metrics.further(text, ids)
        for name, value in expected.items():
            assert pd.isna(row[name]) if value is None else row[name] == value, name


def test_the_table_keeps_the_identity_of_each_row(generations):
    found = table(generations)
    identity = [
        "prompt_id",
        "key",
        "target",
        "layer",
        "neuron",
        "operation",
        "value",
        "scope",
        "seed",
    ]
    pd.testing.assert_frame_equal(found[identity], generations[identity], check_dtype=False)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_the_table_can_be_written_and_read_back(generations, tmp_path, count):
    found = table(generations.iloc[:count])
    path = tmp_path / "metrics.parquet"
    tables.write(found, path, TEXT_METRICS, {})
    back = tables.read(path, TEXT_METRICS)
    assert back["key"].tolist() == generations["key"].tolist()[:count]
    assert back["total_tokens"].dtype == pd.Int64Dtype()


def test_the_table_of_generations_read_from_disk_is_the_same(generations, tmp_path):
    tables.write(generations, tmp_path / "g.parquet", GENERATIONS, {})
    from_disk = table(tables.read(tmp_path / "g.parquet", GENERATIONS))
    pd.testing.assert_frame_equal(from_disk, table(generations), check_dtype=False)


def test_the_table_does_not_change_its_input(generations):
    before = generations.copy(deep=True)
    table(generations)
    pd.testing.assert_frame_equal(generations, before)


def test_the_table_follows_the_rows_not_their_index(generations):
    shuffled = generations.iloc[[2, 0, 3, 1]]
    found = table(shuffled)
    assert found["key"].tolist() == shuffled["key"].tolist()
    assert found["total_tokens"].isna().tolist() == [True, False, False, True]


# Texts of any origin


def test_any_list_of_texts_has_the_metrics_of_a_table_of_generations(generations):
    pairs = metrics.texts_and_tokens(generations)
    found = metrics.measures([text for text, _ in pairs], [ids for _, ids in pairs])
    pd.testing.assert_frame_equal(found, table(generations)[list(found.columns)])
    assert list(found.columns) == [*PUBLISHED_METRICS, *FURTHER_METRICS]


def test_texts_without_tokens_have_the_metrics_of_words_and_characters_alone():
    found = metrics.measures(["a b a b", " "])
    assert found["total_tokens"].tolist() == [4, pd.NA]
    assert found["num_repeated_bigrams"].tolist() == [1, pd.NA]
    assert found[["distinct_1", "rep_4", "loop_period"]].isna().all(axis=None)
    assert metrics.measures([]).empty
