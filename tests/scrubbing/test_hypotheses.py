from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.faithfulness import sizes
from clampsweep.studies.scrubbing.hypotheses import Listed, Term
from clampsweep.studies.scrubbing.reading import parse, read
from clampsweep.studies.scrubbing.roles import Roles
from clampsweep.studies.scrubbing.samplers import Sampler
from clampsweep.studies.scrubbing.variants import experiments

DATA = Path(__file__).parents[2] / "workflow/data/scrubbing"
EVERY = {"q": "all", "k": "all", "v": "all"}
BASELINE = {"name": "baseline", "heads": "induction", "groups": [EVERY]}
PUBLISHED = Roles(
    8, {"prev": (0, 6), "self": (1, 2, 3, 5), "first": (4, 7), "induction": (5, 6)}, {}
)


def parsed(*entries: dict[str, Any], **others: Any) -> Listed:
    return parse({"hypotheses": [BASELINE, *entries], **others}, "h.yaml")


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "one", "heads": "induction", "groups": [{"q": "L0"}], **changes}


def test_an_entry_is_read_as_it_stands():
    window = {"of": "prev1", "keep": [-1, -1], "pattern": "reference"}
    found = parsed(
        entry(
            heads=["1.5", "induction2"],
            groups=[{"q": ["E", "L0-prev1-self"], "k": window}, {"skip": "0.3"}],
            edit={"prev2": "first"},
            sampler="func(last-token)",
            decoherent=True,
        ),
        curve=["baseline", "one", "unscrubbed"],
    )
    one = found.hypotheses[1]
    assert one.heads == ("1.5", "induction2")
    assert one.groups == (
        {
            "q": (Term(("E",)), Term(("L0", "prev1", "self"))),
            "k": (Term(("prev1",), "reference", (-1, -1)),),
        },
        {"skip": (Term(("0.3",)),)},
    )
    assert one.edit == {"prev2": "first"}
    assert one.sampler == Sampler("func", "last-token")
    assert one.decoherent
    assert found.curve == ("baseline", "one", "unscrubbed")


FAULTS = {
    "name": (entry(name="a b"), "hypotheses[1].name: got 'a b'; write letters"),
    "key": (entry(group=[]), "hypotheses[1]: unknown 'group'; choose among name, heads"),
    "nothing": (entry(groups=[]), "hypotheses[1] (one): scrubs nothing; write groups"),
    "empty group": (entry(groups=[{}]), "groups[0]: scrubs nothing; write what is drawn"),
    "no group": (entry(groups=[1]), "groups[0]: got 1; write keys with values"),
    "empty cells": (entry(groups=[{"q": []}]), "groups[0].q: scrubs nothing"),
    "no heads": (
        {"name": "one", "groups": [{"q": "E"}]},
        "hypotheses[1] (one).heads: missing; write 'induction'",
    ),
    "channel": (entry(groups=[{"w": "E"}]), "groups[0]: unknown 'w'; choose among q, k, v, skip"),
    "word": (entry(groups=[{"q": "L0-mlp"}]), "groups[0].q: got 'L0-mlp'; write E, L0, all"),
    "number": (entry(heads=[1.5]), ".heads: got the number 1.5; write heads in quotes: '1.5'"),
    "less": (entry(heads="L1-induction"), ".heads: got 'L1-induction'; write a role"),
    "edit": (entry(edit={"prev1": "half"}), ".edit.prev1: unknown 'half'; choose among previous"),
    "edited": (entry(edit={"E": "zero"}), ".edit: got 'E'; write a role, or a head"),
    "sampler": (entry(sampler="cond"), ".sampler: got 'cond'; write exact, uncond, fixed"),
    "feature": (entry(sampler="func(mood)"), ".sampler: got 'func(mood)'; write exact"),
    "decoherent": (entry(decoherent="yes"), ".decoherent: got 'yes'; write true or false"),
    "window": (
        entry(groups=[{"q": {"of": "L0", "keep": [0, 1]}}]),
        "groups[0].q.keep: got [0, 1]; write two offsets",
    ),
    "no window": (
        entry(groups=[{"q": {"of": "L0", "pattern": "window"}}]),
        "groups[0].q.keep: missing",
    ),
    "pattern": (
        entry(groups=[{"q": {"of": "L0", "pattern": "mean"}}]),
        "groups[0].q.pattern: unknown 'mean'; choose among draw, reference, window",
    ),
    "term key": (entry(groups=[{"q": {"heads": "L0"}}]), "groups[0].q: unknown 'heads'"),
    "twice": (BASELINE, "hypotheses[1] (baseline).name: 'baseline' stands here twice"),
    "taken": (entry(name="unscrubbed"), "'unscrubbed' stands here twice"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_one_line_that_names_the_key(case):
    content, message = FAULTS[case]
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        parsed(content)
    assert str(caught.value).startswith("h.yaml: hypotheses[1]")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "h.yaml: hypotheses: got None; write a list of hypotheses"),
        ({"hypotheses": [entry()]}, "h.yaml: hypotheses: none is named 'baseline'"),
        (
            {"hypotheses": [BASELINE], "curve": ["baseline", "two"]},
            "h.yaml: curve[1]: unknown 'two'; choose among unscrubbed, baseline",
        ),
        ({"hypotheses": [BASELINE], "more": 1}, "h.yaml: unknown 'more'"),
        ({"hypotheses": ["all"]}, "h.yaml: hypotheses[0]: got 'all'; write keys with values"),
    ],
)
def test_a_fault_of_the_file_is_one_line(content, message):
    with pytest.raises(UserError, match=re.escape(message)):
        parse(content, "h.yaml")


# Kept inputs of head 1.5 (channel -> upstream parts) in the experiments of the published table.
E, HEADS = "E", [f"0.{head}" for head in range(8)]
KEPT = {
    "baseline": ([], [], []),
    "ev": ([E, *HEADS], [E, *HEADS], [E]),
    "eq": ([E], [E, *HEADS], [E, *HEADS]),
    "pth-k": ([E, *HEADS], ["0.0"], [E, *HEADS]),
    "all": ([E], ["0.0"], [E]),
    "ev+": ([E, *HEADS], [E, *HEADS], [E, "0.1", "0.2", "0.3", "0.5"]),
    "eq+": ([E, "0.1", "0.2", "0.3", "0.5"], [E, *HEADS], [E, *HEADS]),
    "pth-k+": ([E, *HEADS], ["0.0", "0.6"], [E, *HEADS]),
}


@pytest.mark.parametrize("file", ["published_hypotheses.yaml", "hypotheses.yaml"])
def test_our_files_hold_the_published_experiments_on_the_published_heads(file):
    listed = read(DATA / file)
    found = {one.name: one for one in experiments(listed.hypotheses, PUBLISHED)}
    for name, kept in KEPT.items():
        for head in (5, 6):
            names = [
                [name for name, cell in zip([E, *HEADS], row, strict=True) if cell == 0]
                for row in found[name].cells[head].tolist()
            ]
            assert names == list(kept), (name, head)
        others = [head for head in range(8) if head not in (5, 6)]
        assert not found[name].cells[others].any() and not found[name].skip.any()
        assert found[name].draws == (1,)  # one coherent draw
    ascending = sizes(listed.curve, found, "h.yaml")
    assert ascending == sorted(ascending) and (ascending[0], ascending[-1]) == (0, 1)


def test_the_published_file_names_the_heads_that_the_roles_of_ours_stand_for():
    ours, published = (
        {one.name: one for one in experiments(read(DATA / file).hypotheses, PUBLISHED)}
        for file in ("hypotheses.yaml", "published_hypotheses.yaml")
    )
    same = {
        "all-decoherent": "all-decoherent",
        "all+": "all+",
        "scrub-1": "scrub-1.5",
        "scrub-2": "scrub-1.6",
        "1-ek": "1.5-ek",
        "pth-k-full": "pth-k-full",
        "previous-pattern": "real-0.0",
        "first-pattern": "beg-0.0",
        "zero-pattern": "zero-0.0",
        "positional-2": "positional-2",
    }
    for one, other in same.items():
        a, b = ours[one], published[other]
        assert (a.cells == b.cells).all() and (a.skip == b.skip).all() and a.sources == b.sources


def test_the_whole_of_a_head_is_scrubbed_in_scrub_15_and_no_other():
    found = {
        e.name: e
        for e in experiments(read(DATA / "published_hypotheses.yaml").hypotheses, PUBLISHED)
    }
    assert found["scrub-1.5"].cells[5].all()
    assert found["scrub-1.5"].cells.sum() == 27
    # 1.5-e46k: 0.0 and 0.7 into the key of 1.5
    assert found["1.5-e46k"].cells[5, 1].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert found["1.5-e46k"].cells.sum() == 2
