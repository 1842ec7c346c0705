"""What `hypotheses.json` says, with roles that are written by hand."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.resolved import resolved
from scrubbing.models import ROLES  # heads 0 to 3; prev 0.0 0.2, self 0.1, induction 1.3 1.1

EVERY = {"q": "all", "k": "all", "v": "all"}
BASELINE = {"name": "baseline", "heads": "induction", "groups": [EVERY]}
ALL = ["E", "0.0", "0.1", "0.2", "0.3"]
NAIVE = {
    "name": "naive",
    "heads": "induction",
    "groups": [{"q": "L0", "k": ["E", "L0-prev1"], "v": "L0"}],
}


def found(*entries: dict[str, Any], curve: list[str] | None = None) -> dict[str, Any]:
    listed = parse({"hypotheses": [BASELINE, *entries], "curve": curve or []}, "h.yaml")
    return resolved(listed, ROLES, "h.yaml")


def test_each_experiment_says_what_every_scrubbed_head_keeps():
    experiments = found(NAIVE)["experiments"]
    assert list(experiments) == ["unscrubbed", "baseline", "naive"]
    assert experiments["unscrubbed"] == {
        "sampler": "uncond", "keeps": {}, "draws": 0, "sources": [],
    }  # fmt: skip
    nothing = {"q": [], "k": [], "v": []}
    assert experiments["baseline"]["keeps"] == {"1.1": nothing, "1.3": nothing}
    kept = {"q": ["E"], "k": ["0.0"], "v": ["E"]}
    assert experiments["naive"]["keeps"] == {"1.1": kept, "1.3": kept}
    assert experiments["naive"]["draws"] == 1
    assert "skip keeps" not in experiments["naive"]


def test_draws_windows_and_the_way_past_layer_1_are_said():
    window = {"of": "prev2", "keep": [-1, 0], "pattern": "window"}
    one = {
        "name": "one",
        "heads": "induction1",
        "groups": [{"q": window}, {"k": "E", "skip": "L0-self"}],
        "sampler": "func(last-token)",
    }
    assert found(one)["experiments"]["one"] == {
        "sampler": "func:last-token",
        "keeps": {"1.3": {"q": ["E", "0.0", "0.1", "0.3"], "k": ALL[1:], "v": ALL}},
        "skip keeps": ["E", "0.1"],
        "draws": 2,
        "sources": [
            {"draw": 1, "pattern": "window", "keep": (-1, 0)},
            {"draw": 2, "pattern": "draw", "keep": None},
        ],
    }


def test_an_edit_is_in_all_heads_and_has_no_draw():
    edit = found({"name": "edit", "edit": {"prev1": "zero"}})["experiments"]["edit"]
    kept = ["E", "0.1", "0.2", "0.3"]
    each = {"q": kept, "k": kept, "v": kept}
    assert edit["keeps"] == {f"1.{head}": each for head in range(4)}
    assert (edit["skip keeps"], edit["draws"]) == (kept, 0)
    assert edit["sources"] == [{"draw": 0, "pattern": "zero", "keep": None}]


def test_variants_are_said_too():
    experiments = found({**NAIVE, "decoherent": True, "controls": 1})["experiments"]
    assert list(experiments)[2:] == ["naive", "naive-decoherent", "naive-random-1"]
    assert experiments["naive-decoherent"]["keeps"] == experiments["naive"]["keeps"]
    assert experiments["naive-decoherent"]["draws"] == 2 * (4 + 4 + 4)
    random = experiments["naive-random-1"]["keeps"]
    assert {
        (head, channel, len(names))
        for head, one in random.items()
        for channel, names in one.items()
    } == {(head, channel, 1) for head in ("1.1", "1.3") for channel in "qkv"}


def test_roles_stand_beside_it_best_first_and_all_of_it_is_json():
    content = found(NAIVE, curve=["baseline", "naive", "unscrubbed"])
    assert content["roles"] == {"prev": [0, 2], "self": [1], "first": [], "induction": [3, 1]}
    again = json.loads(json.dumps(content))
    assert again["curve"] == content["curve"]


def test_a_size_is_the_share_kept_of_what_the_baseline_scrubs():
    wide = {**NAIVE, "name": "wide", "groups": [{"q": "0.3", "k": "E"}]}
    curve = found(NAIVE, wide, curve=["baseline", "naive", "wide", "unscrubbed"])["curve"]
    # Of 2 heads x 3 channels x 5 parts: naive keeps one of each channel, wide 4 + 4 + 5.
    assert curve == pytest.approx(
        {"baseline": 0, "naive": 6 / 30, "wide": 26 / 30, "unscrubbed": 1}
    )
    assert found(NAIVE)["curve"] == {}


KEPT_LESS = {"name": "other", "heads": "induction", "groups": [{"q": ["E", "0.0"]}]}
WAY_PAST = {"name": "past", "heads": "induction", "groups": [{"q": "L0", "skip": "E"}]}


@pytest.mark.parametrize(
    ("curve", "said"),
    [
        # `other` keeps more cells, but not E -> q, which `naive` keeps.
        (["baseline", "naive", "other", "unscrubbed"], "other does not keep all that naive keeps"),
        (["baseline", "other", "naive", "unscrubbed"], "naive does not keep all that other keeps"),
        (["baseline", "past", "unscrubbed"], "past does not keep all that baseline keeps"),
        (["naive", "unscrubbed"], "got ['naive', 'unscrubbed']; begin with baseline, end with"),
        (["baseline", "naive"], "got ['baseline', 'naive']; begin with baseline, end with unscru"),
        (["baseline"], "got ['baseline']; begin with baseline, end with unscrubbed"),
    ],
)
def test_a_curve_that_does_not_keep_more_and_more_is_refused(curve, said):
    with pytest.raises(UserError, match=re.escape(f"h.yaml: curve: {said}")) as caught:
        found(NAIVE, KEPT_LESS, WAY_PAST, curve=curve)
    assert "\n" not in str(caught.value)


def test_a_word_that_no_head_of_the_model_answers_to_is_said_with_its_place():
    first = {"name": "first", "heads": "induction", "groups": [{"q": "first"}]}
    said = re.escape("h.yaml: hypotheses[1] (first).groups[0].q: no head is 'first': too low")
    with pytest.raises(UserError, match=said):
        found(first)
