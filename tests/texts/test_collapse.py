"""Collapse detectors: each rule at, just below and just above its threshold."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.errors import UserError
from clampsweep.texts import collapse
from oracles import entropy_of_words, published_metrics, surface_in_fractions

SYMBOLS = "!@#$%^&*()_+={}[]|:;<>?,.~"  # all distinct, none alphanumeric


def surface(text):
    return collapse.DETECTORS["surface"](text, None)


def entropy(text):
    return collapse.DETECTORS["entropy"](text, None)


def loop(ids):
    return collapse.DETECTORS["loop"]("some text that does not matter here", ids)


# The registry


def test_the_detectors_are_registered_by_name():
    assert list(collapse.DETECTORS) == ["surface", "entropy", "loop", "coherence"]


def test_loop_and_coherence_need_what_imported_texts_lack():
    assert frozenset({"loop", "coherence"}) == collapse.NEEDS_TOKENS


def test_coherence_flags_few_distinct_pairs_or_a_high_nll():
    detect = collapse.DETECTORS["coherence"]
    fresh = list(range(21))  # 20 pairs, all distinct
    half = [1, 2] * 10 + [1]  # 20 pairs, 2 distinct
    assert not detect("some text", fresh, 1.0)
    assert not detect("some text", fresh, 3.89)
    assert detect("some text", fresh, 3.9)
    assert detect("some text", half, 1.0)
    assert detect("  ", fresh, 1.0)


def test_coherence_without_nll_is_refused_in_one_line():
    with pytest.raises(UserError, match="needs nll_unclamped") as fault:
        collapse.DETECTORS["coherence"]("some text", [1, 2, 3])
    assert len(str(fault.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["surface", "entropy", "loop"])
def test_every_detector_answers_with_a_plain_bool(name):
    for text, ids in [("", [1]), ("a normal sentence of words", [1, 2, 3]), ("a a a a", [1] * 9)]:
        assert type(collapse.DETECTORS[name](text, ids)) is bool


@pytest.mark.parametrize("name", ["surface", "entropy"])
@given(text=st.text(max_size=20), ids=st.lists(st.integers(0, 3), max_size=9))
def test_text_detectors_ignore_tokens(name, text, ids):
    assert collapse.DETECTORS[name](text, ids) == collapse.DETECTORS[name](text, None)


# surface, rule 1: empty, or fewer than six characters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("  \n\t ", True),
        ("a", True),
        ("abcde", True),
        ("abcdef", False),
        ("  abcde  ", True),
        ("  abcdef  ", False),
        ("ab de", True),
        ("ab def", False),
        ("漢字漢語文", True),
        ("漢字仮語文章", False),
        ("\u00a0abcde\u2003", True),
    ],
)
def test_surface_rule_1_flags_less_than_six_characters_after_stripping(text, expected):
    assert surface(text) is expected


# surface, rule 2: one character makes up nine tenths. (Rule 3 also holds for every such text, so
# that the rule cannot be seen from outside just below its threshold.)


@pytest.mark.parametrize(
    "text",
    ["aaaaaa", "aaaaaaaaab", "baaaaaaaaa", "aaaaabaaaa", "a" * 18 + "bc", "x" + " " * 18 + "y"],
)
def test_surface_rule_2_flags_a_character_with_a_share_of_nine_tenths(text):
    assert max(Counter(text).values()) / len(text) >= 0.9
    assert surface(text) is True


def test_surface_spares_a_character_with_a_large_share_that_is_spread_out():
    # "e" has 10 of 20 characters, yet every window of two characters is rare.
    text = "eaebecedefegeheiejek"
    assert surface(text) is False


# surface, rule 3: a window of 2 to 7 characters that fills seven tenths


@pytest.mark.parametrize(
    ("text", "period", "count", "expected"),
    [
        # Exactly 0.7: 2 * 7 / 20 and 7 * 2 / 20 and 5 * 7 / 50.
        ("ab1ab2ab3ab4ab5ab6ab", 2, 7, True),
        ("abcdefg123abcdefg456", 7, 2, True),
        ("abcdefg123abcdefg4567", 7, 2, False),
        # One character more: 14 / 21.
        ("ab1ab2ab3ab4ab5ab6ab7", 2, 7, False),
        # One repeat more: 16 / 22.
        ("ab1ab2ab3ab4ab5ab6abab", 2, 8, True),
        # 3 * 7 / 30 is exactly 0.7; one character more is less.
        ("abc1abc2abc3abc4abc5abc6abc789", 3, 7, True),
        ("abc1abc2abc3abc4abc5abc6abc7890", 3, 7, False),
        # Windows overlap: "aa" counts 5 times in six, not 3 times.
        ("aaaaaa123456", 2, 5, True),
        # 6 * 2 / 12: period 6, repeated once.
        ("abcdefabcdef", 6, 2, True),
        ("abcdeabcde", 5, 2, True),
        # Whitespace counts: "a " 5 times in 12.
        ("a a a a a xy", 2, 5, True),
    ],
)
def test_surface_rule_3_flags_a_window_that_fills_seven_tenths(text, period, count, expected):
    windows = Counter(text[i : i + period] for i in range(len(text) - period + 1))
    assert windows.most_common(1)[0][1] == count, "the example is as described"
    assert surface_in_fractions(text) is expected
    assert surface(text) is expected


@pytest.mark.parametrize("period", range(1, 16))
def test_surface_catches_loops_of_ten_characters_or_less_only(period):
    unit = "abcdefghijklmnop"[:period]
    assert surface(unit * 12) is (period <= 10)


def test_surface_passes_a_loop_of_sentences():
    assert surface("I do not know what to say about it. " * 6) is False


# surface, rule 4: hardly any letters or digits, mostly symbols


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" + SYMBOLS[:9], False),  # alphanumeric share exactly 0.1
        ("a" + SYMBOLS[:10], True),  # 1 / 11
        ("ab" + SYMBOLS[:18], False),  # 2 / 20
        ("ab" + SYMBOLS[:19], True),  # 2 / 21
        (SYMBOLS[:6], True),
        ("!@ #$% ^&*", False),  # symbol share exactly 0.8
        ("!@ #$% ^&*(", True),  # 9 / 11
        ("1" + SYMBOLS[:9], False),  # a digit is alphanumeric
        ("🙂🙃😀😁😂🤣", True),
        ("漢字仮名文章語学", False),
        ("é" + SYMBOLS[:9], False),
    ],
)
def test_surface_rule_4_flags_texts_of_symbols(text, expected):
    assert surface_in_fractions(text) is expected
    assert surface(text) is expected


# surface as a whole


@pytest.mark.parametrize(
    "text",
    [
        "The night was quiet, and nobody came to the door.",
        "Yes, it is. Yes, it was. Yes, it will be.",
        "1, 2, 3, 4, 5, 6, 7, 8, 9",
        "It\nis\nfine",
    ],
)
def test_surface_spares_ordinary_text(text):
    assert surface(text) is False


@given(
    st.text(st.sampled_from("ab! "), max_size=24)
    | st.text(st.sampled_from("abcdefgh!?. \n漢🙂"), max_size=40)
    | st.text(max_size=30)
)
def test_surface_follows_its_rules_in_exact_arithmetic(text):
    assert surface(text) is surface_in_fractions(text)


@given(
    st.text(st.sampled_from("abc1!"), min_size=1, max_size=8),
    st.integers(1, 9),
    st.text(max_size=9),
)
def test_surface_follows_its_rules_on_planted_loops(unit, repeats, tail):
    text = unit * repeats + tail
    assert surface(text) is surface_in_fractions(text)


@given(st.text(max_size=20), st.text(st.sampled_from(" \n\t\u00a0"), max_size=4))
def test_surface_ignores_whitespace_around_the_text(text, around):
    assert surface(around + text + around) is surface(text)


# entropy: below 1.5 bits and fewer than ten unique words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", True),
        ("a a a a", True),
        ("a b a b", True),
        ("a a b c", False),  # exactly 1.5 bits
        ("a a a b c", True),  # 1.371 bits
        ("a a b b c", False),  # 1.522 bits
        ("a b c", False),  # 1.585 bits
        ("no no no, no", True),
    ],
)
def test_entropy_flags_less_than_one_and_a_half_bits(text, expected):
    assert entropy(text) is expected


def test_entropy_needs_fewer_than_ten_unique_words():
    many = "a " * 200
    nine = many + "b c d e f g h i"
    ten = many + "b c d e f g h i j"
    assert entropy(nine) is True
    assert entropy(ten) is False


@given(st.lists(st.sampled_from("abcdefghijklm"), min_size=1, max_size=12), st.integers(0, 60))
def test_entropy_follows_its_definition(words, extra):
    text = " ".join(words + ["a"] * extra)
    if abs(published_metrics(text)["token_entropy"] - 1.5) > 1e-9:
        assert entropy(text) is entropy_of_words(text)


@pytest.mark.parametrize("text", ["", "  \n "])
def test_entropy_flags_a_blank_text(text):
    # Nothing was said: no words, hence neither bits nor variety.
    assert entropy(text) is True


# loop: the longest periodic suffix covers half of the tokens


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([9, 8, 7, 1, 2, 1, 2, 1], True),  # 2.5 repeats, 5 of 8
        ([9, 8, 7, 1, 2, 1, 2], False),  # 2 repeats only
        ([9, 8, 7, 6, 5, 1, 2, 1, 2, 1], True),  # 5 of 10, exactly half
        ([9, 8, 7, 6, 5, 4, 1, 2, 1, 2, 1], False),  # 5 of 11
        ([1, 2, 1, 2, 1, 9], False),  # not at the end
        ([1, 1], False),
        ([1, 1, 1], True),
        ([1, 2, 3, 4, 5, 6], False),
        ([1], False),
    ],
)
def test_loop_needs_two_and_a_half_repeats_over_half_of_the_text(ids, expected):
    assert loop(ids) is expected


@pytest.mark.parametrize(
    ("period", "length", "expected"),
    [(32, 80, True), (32, 79, False), (33, 99, False), (33, 132, False), (31, 93, True)],
)
def test_loop_looks_for_periods_up_to_32(period, length, expected):
    assert loop([i % period for i in range(length)]) is expected


def test_loop_without_tokens_is_refused_in_one_line():
    with pytest.raises(UserError, match="loop") as caught:
        loop(None)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["surface", "entropy", "loop"])
@pytest.mark.parametrize(("text", "ids"), [("", []), (" \n\n", [7, 8])])
def test_a_blank_text_is_collapsed_for_every_detector(name, text, ids):
    assert collapse.DETECTORS[name](text, ids) is True


def test_loop_looks_at_the_tokens_of_a_text_that_is_not_blank():
    assert collapse.DETECTORS["loop"]("same same same same", [1, 2, 3, 4]) is False
    assert collapse.DETECTORS["loop"]("all words differ here", [1, 1, 1, 1]) is True


@given(
    st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), min_size=1, max_size=6)
)
def test_loop_flags_a_planted_loop_of_at_least_the_same_length(before, unit):
    repeats = max(3, -(-len(before) // len(unit)))
    assert loop([*before, *unit * repeats]) is True


# Texts of any origin


def test_any_list_of_texts_is_judged_as_each_text_alone():
    texts, ids = ["fine words here", "aaaaaaaaaa", " ", "so it goes"], [[1, 2, 3], [4] * 9, [], [5]]
    for name, detect in collapse.DETECTORS.items():
        alone = [detect(*both, 1.0) for both in zip(texts, ids, strict=True)]
        assert collapse.collapsed(texts, name, ids, [1.0] * 4).tolist() == alone
    assert collapse.collapsed(texts, "surface").tolist() == [False, True, True, False]
    assert collapse.collapsed([], "surface").shape == (0,)


def test_a_list_of_texts_without_what_a_detector_needs_is_refused():
    with pytest.raises(UserError, match="'loop' needs token ids"):
        collapse.collapsed(["some text"], "loop")
    with pytest.raises(UserError, match="'coherence' needs nll_unclamped"):
        collapse.collapsed(["some text"], "coherence", [[1, 2, 3]], [math.nan])
