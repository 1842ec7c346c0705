"""How good detectors are: shares counted by hand, on texts whose flags are plain to see."""

from __future__ import annotations

import io
import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.figures.style import BLUE, GREY, VERMILION
from clampsweep.studies.bcr import detector_report
from clampsweep.studies.bcr.detector_quality import (
    DETECTOR_QUALITY,
    LABELS,
    bounds,
    calibration,
    held_out,
    quality,
    read_labelled,
)
from clampsweep.studies.bcr.figures.detectors import detectors
from clampsweep.texts import collapse
from sweep_tables import BROKEN, FINE

PHRASE = " ".join(["the door is open and"] * 4)  # passes surface and entropy
SYMBOLS = "?!#$%&*()[]{}<>"
# Label, text, tokens, and what surface and loop say of it. entropy says what surface does.
TEXTS = (
    ("coherent", FINE, range(9), False, False),
    ("coherent", FINE + " Nobody came.", range(12), False, False),
    ("coherent", "Then the lamp went out.", range(9), False, False),
    ("coherent", "Yes.", (1, 2), True, False),
    ("loop", BROKEN, [7] * 10, True, True),
    ("loop", BROKEN + "a", [7] * 11, True, True),
    ("loop", PHRASE, [1, 2, 3, 4, 5] * 4, False, True),
    ("noise", SYMBOLS, range(15), True, False),
    ("noise", "lamp of seven under quickly no table", range(7), False, False),
    ("off_language", "La porte est ouverte ce soir.", range(9), False, False),
)
# Of 10 texts 6 are broken. surface flags 4, of them 3 broken; loop flags 3, all broken.
COUNTS = {
    "surface": {
        "precision": (3, 4),
        "recall": (3, 6),
        "false_alarm": (1, 4),
        "missed": (3, 6),
        "recall_loop": (2, 3),
        "recall_noise": (1, 2),
        "recall_off_language": (0, 1),
    },
    "loop": {
        "precision": (3, 3),
        "recall": (3, 6),
        "false_alarm": (0, 4),
        "missed": (3, 7),
        "recall_loop": (3, 3),
        "recall_noise": (0, 2),
        "recall_off_language": (0, 1),
    },
}


def labelled(rows=TEXTS):
    return pd.DataFrame(
        {
            "prompt_id": f"p{place}",
            "text": text,
            "token_ids": list(ids),
            "nll_unclamped": 2.0,
            "label": label,
        }
        for place, (label, text, ids, *_) in enumerate(rows)
    )


def of_nll(values, labels):
    """Texts that differ in nothing but nll and label."""
    rows = [(label, FINE, range(9)) for label in labels]
    return labelled(rows).assign(nll_unclamped=values)


def wilson(k, n, z=1.959964):
    middle, spread = k / n + z**2 / (2 * n), z * np.sqrt(k * (n - k) / n**3 + (z / n) ** 2 / 4)
    return np.array([middle - spread, middle + spread]) / (1 + z**2 / n)


# ---- precision, recall and the rest


@pytest.mark.parametrize("detector", ["surface", "loop"])
def test_flags_are_as_the_counts_below_take_them(detector):
    place = 3 if detector == "surface" else 4
    assert collapse.flags(labelled(), detector).tolist() == [row[place] for row in TEXTS]


@pytest.mark.parametrize("detector", COUNTS)
def test_every_measure_counts_its_own_texts(detector):
    table = quality(labelled(), [detector]).set_index("measure")
    assert {name: (row["k"], row["n"]) for name, row in table.iterrows()} == COUNTS[detector]


def test_shares_carry_wilson_intervals():
    row = quality(labelled(), ["surface"]).set_index("measure").loc["precision"]
    assert row["share"] == 0.75
    assert np.allclose([row["low"], row["high"]], wilson(3, 4), atol=1e-6)


def test_a_measure_over_no_texts_has_no_share():
    rows = [row for row in TEXTS if row[0] != "off_language"]
    row = quality(labelled(rows), ["surface"]).set_index("measure").loc["recall_off_language"]
    assert (row["k"], row["n"]) == (0, 0)
    assert row[["share", "low", "high"]].isna().all()


def test_every_detector_is_measured_in_a_table_that_can_be_written(tmp_path):
    found = quality(labelled(), list(collapse.DETECTORS))
    assert set(found["detector"]) == set(collapse.DETECTORS)
    tables.write(found, tmp_path / "quality.parquet", DETECTOR_QUALITY, {})
    again = tables.read(tmp_path / "quality.parquet", DETECTOR_QUALITY)
    assert again["k"].tolist() == found["k"].tolist()


def test_a_text_without_tokens_is_named_by_a_detector_that_needs_them():
    texts = labelled()
    texts.at[2, "token_ids"] = None
    assert len(quality(texts, ["surface"])) == len(COUNTS["surface"])
    with pytest.raises(UserError, match=r"'loop' needs token ids, .* 'Then the lamp went out\.'"):
        quality(texts, ["loop"])


# ---- coherence, whose bounds were chosen on labelled texts


def fitted():
    """Ten prompts: six coherent, three loops, and j, noise of an nll between theirs."""
    rows = [("coherent", FINE, range(11))] * 6 + [("loop", FINE, [1] * 11)] * 3
    texts = labelled([*rows, ("noise", FINE, range(11))])
    return texts.assign(prompt_id=list("abcdefghij"), nll_unclamped=[2.0] * 6 + [2.5] * 3 + [2.2])


def test_bounds_part_coherent_texts_from_broken_ones():
    # Loops have one distinct pair of ten; j has nll 2.2.
    assert bounds(fitted()) == (0.1, 2.2)


def test_of_equally_good_bounds_those_that_flag_fewer_are_taken():
    assert bounds(fitted().iloc[:9]) == (0.1, 2.5)


def test_a_text_has_no_part_in_the_bounds_that_it_is_judged_by():
    # Without j nothing broken lies below 2.5; without a loop, the others still tell.
    assert held_out(fitted()).tolist() == [False] * 6 + [True] * 3 + [False]


def test_texts_of_a_prompt_are_judged_together():
    texts = fitted()
    texts = pd.concat([texts, texts.iloc[[9]]], ignore_index=True)
    assert not held_out(texts)[9:].any()
    apart = texts.assign(prompt_id=[*texts["prompt_id"][:10], "k"])
    assert held_out(apart)[9:].all()


def test_coherence_is_measured_with_held_out_bounds():
    table = quality(fitted(), ["coherence"]).set_index("measure")
    counts = {name: (row["k"], row["n"]) for name, row in table.iterrows()}
    assert counts["recall"] == (3, 4)
    assert counts["recall_noise"] == (0, 1)
    assert counts["false_alarm"] == (0, 6)


def test_a_blank_text_is_broken_for_coherence_too():
    texts = fitted()
    texts.at[9, "text"] = " \n"
    assert held_out(texts)[9]


# ---- calibration


def test_calibration_counts_broken_texts_by_fifth():
    # Sorted, the fifths of 1..10 are 1 2, 3 4, 5 6, 7 8, 9 10; broken are 5 and 7 to 10.
    values = [10, 1, 9, 2, 8, 3, 7, 4, 6, 5]
    labels = ["noise" if value in (5, 7, 8, 9, 10) else "coherent" for value in values]
    table = calibration(of_nll(values, labels))
    own = table[table["score"] == "nll_unclamped"]
    assert own[["bin", "low_value", "high_value", "k", "n"]].values.tolist() == [
        [0, 1, 2, 0, 2],
        [1, 3, 4, 0, 2],
        [2, 5, 6, 1, 2],
        [3, 7, 8, 2, 2],
        [4, 9, 10, 2, 2],
    ]
    assert np.allclose(own[["low", "high"]].iloc[2], wilson(1, 2), atol=1e-6)


def test_equal_values_share_a_fifth():
    # Of ten ranks six zeros have the middle one of 3.5, in the second fifth; 1 and 2 have 7 and 8.
    values = [0, 0, 0, 0, 0, 0, 1, 2, 3, 4]
    table = calibration(of_nll(values, ["loop"] * 3 + ["coherent"] * 7))
    own = table[table["score"] == "nll_unclamped"]
    assert own[["bin", "k", "n"]].values.tolist() == [[1, 3, 6], [3, 0, 2], [4, 0, 2]]


@pytest.mark.parametrize("sign", [1, -1])
def test_few_other_values_are_not_lost_among_many_equal_ones(sign):
    values = [0.0] * 9 + [0.5 * sign]
    table = calibration(of_nll(values, ["coherent"] * 9 + ["loop"]))
    own = table[table["score"] == "nll_unclamped"].sort_values("k")
    assert own[["k", "n"]].values.tolist() == [[0, 9], [1, 1]]


def test_fifths_hold_a_fifth_of_the_texts_in_order():
    rng = np.random.default_rng(3)
    values, broken = rng.normal(size=57), rng.random(57) < 0.4
    table = calibration(of_nll(values, np.where(broken, "noise", "coherent")))
    own = table[table["score"] == "nll_unclamped"]
    assert own["bin"].tolist() == [0, 1, 2, 3, 4]
    assert own["n"].sum() == 57 and set(own["n"]) == {11, 12}
    assert (own["low_value"].to_numpy()[1:] > own["high_value"].to_numpy()[:-1]).all()
    for row in own.itertuples():
        inside = (values >= row.low_value) & (values <= row.high_value)
        assert (row.n, row.k) == (inside.sum(), (inside & broken).sum())


def test_a_text_without_a_metric_is_left_out_of_it_alone():
    texts = labelled()
    texts.at[0, "token_ids"] = None
    texts.at[1, "nll_unclamped"] = None
    sizes = calibration(texts).groupby("score")["n"].sum()
    assert sizes["loop_coverage"] == sizes["nll_unclamped"] == len(TEXTS) - 1
    assert sizes["token_entropy"] == len(TEXTS)


def test_a_metric_that_no_text_has_is_left_out():
    texts = labelled().assign(token_ids=None, nll_unclamped=None)
    assert set(calibration(texts)["score"]) == {"zlib_ratio", "token_entropy"}


# ---- reading


def line(**changes):
    row = {"prompt_id": "a", "text": FINE, "token_ids": [1, 2], "nll_unclamped": 2.0}
    row = {**row, "label": "coherent", **changes}
    return json.dumps({name: value for name, value in row.items() if value != "gone"})


def test_reading_keeps_every_text_as_it_was_written(tmp_path):
    odd = "two\u2028lines\x85 and\x0b more\nend"
    path = tmp_path / "texts.jsonl"
    rows = [json.dumps(json.loads(line(text=odd, label="noise")), ensure_ascii=False), "", line()]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = read_labelled(path)
    assert found["text"].tolist() == [odd, FINE]
    assert found["label"].tolist() == ["noise", "coherent"]
    assert found["token_ids"].tolist() == [[1, 2], [1, 2]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            line() + "\n\n" + line(label="odd"),
            "line 3: label 'odd'; allowed: coherent, loop, noise",
        ),
        (line(label=["loop"]), "line 1: label ['loop']; allowed: coherent"),
        (line(nll_unclamped="gone"), "line 1: lacks the field 'nll_unclamped'; needed: prompt_id"),
        (line() + "\n{nothing", "line 2: not JSON: "),
        ("[1, 2]", "line 1: got '[1, 2]'; write a JSON object"),
        ("null", "line 1: got 'null'; write a JSON object"),
        (" \n\n", ": no texts; write one JSON object per line"),
    ],
)
def test_a_faulty_file_is_named_with_its_line_in_one_line(tmp_path, content, said):
    path = tmp_path / "texts.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        read_labelled(path)
    assert said in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_or_no_text_is_an_error_of_the_user(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_labelled(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(line(text="caf").encode() + b"\xe9")
    with pytest.raises(UserError, match=r"line 1: byte 0xe9 is not UTF-8"):
        read_labelled(tmp_path / "latin.jsonl")


# ---- the labelled texts of this repository


@pytest.fixture(scope="module")
def ours(request):
    return read_labelled(
        request.config.rootpath / "workflow" / "data" / "bcr" / "labelled_texts.jsonl"
    )


def test_the_readme_tells_the_truth_about_the_labelled_texts(ours):
    first, second = ours["first_reader"], ours["second_reader"]
    agreed, shares = (first == second), [Counter(first), Counter(second)]
    by_chance = sum(shares[0][label] * shares[1][label] for label in LABELS) / len(ours) ** 2
    assert (len(ours), int(agreed.sum())) == (130, 110)
    assert round((agreed.mean() - by_chance) / (1 - by_chance), 2) == 0.78
    assert (ours["label"] == second)[~agreed].sum() == 19
    assert (ours["label"] == first)[~agreed].sum() == 1
    assert (ours["label"] == first)[agreed].all()
    assert not (ours["text"].str.strip() == "").any()


def test_the_bounds_of_coherence_are_those_that_fit_the_labelled_texts(ours):
    pairs, surprise = bounds(ours)
    rounded = collapse.flags(ours, "coherence")
    distinct = [len(set(pairwise(i))) / (len(i) - 1) for i in ours["token_ids"]]
    exact = (np.array(distinct) <= pairs) | (ours["nll_unclamped"] >= surprise).to_numpy()
    assert rounded.tolist() == exact.tolist()


# ---- report and figure


def test_the_report_says_what_was_measured():
    found = quality(labelled(), ["surface", "loop"])
    text = detector_report.report(labelled(), found, calibration(labelled()))
    assert "On 10 texts of real runs, labelled by reading: 4 coherent, 3 loop, 2 noise," in text
    surface = [row.split(" | ")[1] for row in text.splitlines() if row.startswith("| `surface`")]
    assert surface == ["0.75 [0.30, 0.95] (3 of 4)", "0.67 [0.21, 0.94] (2 of 3)"]
    assert "| `token_entropy` | 0 to " in text


def test_the_report_says_where_there_is_nothing_to_measure():
    rows = [row for row in TEXTS if row[0] != "off_language"]
    text = detector_report.report(
        labelled(rows), quality(labelled(rows), ["loop"]), calibration(labelled(rows))
    )
    assert "| `loop` | 1.00 [0.44, 1.00] (3 of 3) | 0.00 [0.00, 0.66] (0 of 2) | none |" in text


def test_the_figure_draws_each_share_with_its_interval():
    found = quality(labelled(), ["surface", "loop"])
    figure = detectors(found, calibration(labelled()))
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    left, _ = figure.axes
    drawn = {to_hex(line.get_color()).upper(): list(line.get_ydata()) for line in left.lines}
    assert drawn == {BLUE: [0.75, 1.0], VERMILION: [0.5, 0.5], GREY: [0.25, 0.0]}
    ends = [tuple(path[:, 1]) for path in left.collections[0].get_segments()]
    assert np.allclose(ends, [wilson(3, 4), wilson(3, 3)], atol=1e-6)
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["surface", "loop"]
    assert all([round(x) for x in line.get_xdata()] == [0, 1] for line in left.lines)


def test_the_figure_draws_the_share_broken_by_fifth():
    values = list(range(1, 11))
    texts = of_nll(values, ["coherent"] * 5 + ["noise"] * 5)
    _, right = detectors(quality(texts, ["surface"]), calibration(texts)).axes
    lines = {line.get_label(): line for line in right.lines}
    own = lines["surprise, unclamped (nats/token)"]
    assert list(own.get_ydata()) == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert [round(x) for x in own.get_xdata()] == [1, 2, 3, 4, 5]


def test_the_figure_puts_its_legends_beside_the_data():
    found, bins = quality(labelled(), ["surface"]), calibration(labelled())
    figure = detectors(found, bins)
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    for ax in figure.axes:
        box = ax.get_legend().get_window_extent()
        assert box.y1 < ax.get_window_extent().y0
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
