"""The report of spotlight resonance: the answers first, and a null result reads as one."""

from __future__ import annotations

import numpy as np
import pytest

from clampsweep.markdown import page
from clampsweep.studies.srm import report as report_module
from clampsweep.studies.srm.plane import Srm
from clampsweep.studies.srm.verdict import judge
from srm_tables import NEURONS, at, names, scattered, see, text

TYPES = ({"type": "declarative"}, {"type": "rhetorical"})


def report(rows, basis=NEURONS, group_by=("type",)):
    found = see(rows, basis=basis, group_by=group_by)
    srm = Srm("c.yaml", basis, group_by, (0.3,))
    concluded = judge(found.groups, found.differences, srm)
    title = f"tiny; {srm.title}"
    return report_module.report(found.groups, found.differences, concluded, srm, title)


def noise(push=0.0, types=("declarative", "rhetorical")):
    """Texts around 45 degrees, those of type rhetorical pushed towards 135."""
    rng = np.random.default_rng(0)
    rows = []
    for name in names(cores="abcdefgh", types=types):
        away = np.array(at(135, push)) if "rhet" in name else 0
        rows.append(text(name, np.array(at(45, 3.0)) + rng.normal(size=5) + away))
        rows.append(text(name, np.array(at(45, 3.0)) + rng.normal(size=5), 1.0))
    return rows


def line(said, start):
    found = [one for one in said.splitlines() if one.startswith(start)]
    assert len(found) == 1
    return found[0]


def test_a_difference_is_said_first_with_its_size_and_q():
    found = see(noise(push=3.0))
    row = found.differences.iloc[0]
    r = dict(found.groups.set_index("group")["r"])
    said = report(noise(push=3.0))
    assert said.startswith("# Spotlight resonance: tiny; plane of L1N1 and L1N2\n")
    assert line(said, "- type") == (
        "- type: 1 of 1 pair with q below 0.05. The largest difference, declarative against "
        f"rhetorical, is {row['distance']:.2g} (their r: {r['declarative']:.2g} and "
        f"{r['rhetorical']:.2g}), q = 0.0005."
    )
    assert said.index("- type") < said.index("## Groups") < said.index("## Pairs by type")


def test_a_null_result_reads_as_one():
    q = see(noise()).differences["q"].min()
    assert line(report(noise()), "- type") == (
        f"- type: a null result, none of 1 pair differs (smallest q = {q:.2g})."
    )


def test_too_few_prompts_are_no_null_result():
    rows = [text(f"{core}/{kind}/1", at(90 * (kind == "y"))) for core in "ab" for kind in "xy"]
    same = [text(f"{core}/x/1", at(0), 1.0) for core in "ab"]
    said = report([*rows, *same], group_by=("type", "clamp"))
    assert line(said, "- type").startswith("- type: no answer, so few prompts allow no p below 0.")
    assert (
        line(said, "- clamp") == "- clamp: a null result, none of 1 pair differs (smallest q = 1)."
    )


def test_the_plane_is_held_against_one_drawn_at_random():
    row = see(noise()).groups.iloc[0]
    said = line(report(noise()), "**Is the plane special?**")
    assert f"{100 * row['mean_power']:.3g} % of their squared length" in said
    assert f"{row['mean_power'] / 0.5:,.3g} times what a plane drawn at random" in said
    assert "50 % (2 / D, D = 4 coordinates; 48 baselines; 0 blank ones left out)" in said


@pytest.mark.parametrize(
    ("scale", "words"), [(1.0, "a null result, about what"), (0.05, "less than a plane")]
)
def test_a_plane_that_is_not_special_is_said_to_be_none(scale, words):
    rng = np.random.default_rng(1)
    weights = np.array([1.0, scale, scale, 1, 1, 1, 1, 1, 1])
    rows = [text(n, rng.normal(size=9) * weights) for n in names(cores="abcdefgh")]
    assert words in report([*rows, text(rows[0]["prompt_id"], np.ones(9), 1.0)])


def test_a_plane_of_the_texts_themselves_is_said_to_flatter():
    assert "flatters" in report(noise(), basis=TYPES)
    assert "flatters" not in report(noise())


def test_groups_that_are_too_small_are_named_without_numbers():
    rows = [*noise(), text("a/odd/1", at(0)), text("b/odd/1", None)]
    said = report(rows)
    assert "Not compared: 2 pairs with fewer than two prompts on a side." in line(said, "- type")
    assert line(said, "| type: odd") == "| type: odd | 1 | 1 | too few prompts |  |  |  |"
    assert " nan" not in said
    alone = [text("a/x/1", at(0)), text("a/x/1", at(0), 1.0)]
    assert "- type: nothing to compare." in report(alone)
    assert "Fewer than two prompts have a vector" in report(alone)
    assert " nan" not in report(alone)


def test_many_pairs_are_cut_to_those_of_smallest_q():
    said = report(scattered(prompts=names(cores="abcdefgh")), group_by=("core",))
    assert "## Pairs by core: 28, the 15 of smallest q" in said
    # Heads with their rules, and rows: controls, groups with all, pairs.
    assert said.count("\n| ") == (2 + 3) + (2 + 9) + 15 + 2


def test_angles_are_below_360():
    rows = [text(f"{core}/x/1", at(359.9)) for core in "abcd"]
    rows += [text(f"{core}/y/1", at(90)) for core in "abcd"]
    said = report([*rows, text("a/x/1", at(0), 1.0)])
    assert "| 360 |" not in said and "| 0 |" in said


def test_names_cannot_break_the_report():
    odd = "<b>|`x`\\*"
    said = report(scattered(prompts=names(types=(odd, "declarative"))))
    shown = page(said, "t")
    assert "<b>" not in shown.partition("<body>")[2]
    assert shown.count("<table>") == 3
