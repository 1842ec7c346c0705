"""A file of hypotheses: how an entry is read, and the one line with which a fault is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.hypotheses import Listed, Term
from clampsweep.studies.scrubbing.reading import parse, parse_one, read
from clampsweep.studies.scrubbing.samplers import Sampler

EVERY = {"q": "all", "k": "all", "v": "all"}
BASELINE = {"name": "baseline", "heads": "induction", "groups": [EVERY]}


def parsed(*entries: dict[str, Any], **others: Any) -> Listed:
    return parse({"hypotheses": [BASELINE, *entries], **others}, "h.yaml")


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "one", "heads": "induction", "groups": [{"q": "L0"}], **changes}


WINDOW = {"of": "prev1", "keep": [-1, -1], "pattern": "reference"}
WHOLE = entry(
    heads=["1.5", "induction2"],
    groups=[{"q": ["E", "L0-prev1-self"], "k": WINDOW}, {"skip": "0.3"}],
    edit={"prev2": "first"},
    sampler="func(last-token)",
    decoherent=True,
)


def test_an_entry_is_read_as_it_stands():
    found = parsed(WHOLE, curve=["baseline", "one", "unscrubbed"])
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
    assert parsed(entry(controls=3)).hypotheses[1].controls == 3
    assert found.curve == ("baseline", "one", "unscrubbed")


def test_what_is_left_out_has_its_default():
    one = parsed(entry()).hypotheses[1]
    assert (one.edit, one.sampler, one.decoherent, one.controls) == (
        {},
        Sampler("uncond"),
        False,
        0,
    )
    assert one.groups == ({"q": (Term(("L0",), "draw", None),)},)
    assert parsed().curve == ()


def test_the_content_is_what_stands_in_the_file_but_for_the_keys_that_decide_no_loss():
    one = parsed(WHOLE).hypotheses[1]
    assert one.content == {key: WHOLE[key] for key in ("heads", "groups", "edit", "sampler")}
    assert parsed(entry(controls=3)).hypotheses[1].content == parsed(entry()).hypotheses[1].content
    again = parse_one({**one.content, "name": "two"}, "there")
    assert (again.heads, again.groups, again.edit, again.sampler) == (
        one.heads,
        one.groups,
        one.edit,
        one.sampler,
    )


def test_a_hypothesis_stands_before_its_decoherent_form_and_its_random_ones():
    assert list(parsed(entry(decoherent=True, controls=2)).hypotheses[1].variants) == [
        "one",
        "one-decoherent",
        "one-random-1",
        "one-random-2",
    ]
    assert list(parsed(entry()).hypotheses[1].variants) == ["one"]


FAULTS = {
    "name": (entry(name="a b"), "hypotheses[1].name: got 'a b'; write letters"),
    "no name": ({"heads": "L1", "groups": [EVERY]}, "hypotheses[1].name: got None; write letters"),
    "long name": (entry(name="n" * 41), "; write letters, digits, and . + _ - (40)"),
    "key": (entry(group=[]), "hypotheses[1]: unknown 'group'; choose among heads, groups, edit"),
    "nothing": (entry(groups=[]), "hypotheses[1] (one): scrubs nothing; write groups"),
    "groups": (entry(groups=EVERY), ".groups: got {'q': 'all', 'k': 'all', 'v': 'all'}; write a"),
    "groups left empty": (entry(groups=None), ".groups: got None; write a list"),
    "empty group": (entry(groups=[{}]), "groups[0]: scrubs nothing; write what is drawn"),
    "no group": (entry(groups=[1]), "groups[0]: got 1; write keys with values"),
    "empty cells": (entry(groups=[{"q": []}]), "groups[0].q: scrubs nothing"),
    "cells left empty": (entry(groups=[{"q": None}]), "groups[0].q: got None; write E, L0, all"),
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
    "edits": (entry(edit=["prev1"]), ".edit: got ['prev1']; write keys with values"),
    "sampler": (entry(sampler="cond"), ".sampler: got 'cond'; write exact, uncond, fixed"),
    "feature": (entry(sampler="func(mood)"), ".sampler: got 'func(mood)'; write exact"),
    "decoherent": (entry(decoherent="yes"), ".decoherent: got 'yes'; write true or false"),
    "window": (
        entry(groups=[{"q": {"of": "L0", "keep": [0, 1]}}]),
        "groups[0].q.keep: got [0, 1]; write two offsets",
    ),
    "window the other way round": (
        entry(groups=[{"q": {"of": "L0", "keep": [0, -1]}}]),
        "groups[0].q.keep: got [0, -1]; write two offsets of key from query, [from, to]",
    ),
    "no window": (
        entry(groups=[{"q": {"of": "L0", "pattern": "window"}}]),
        "groups[0].q.keep: missing",
    ),
    "pattern": (
        entry(groups=[{"q": {"of": "L0", "pattern": "mean"}}]),
        "groups[0].q.pattern: unknown 'mean'; choose among draw, reference, window",
    ),
    "of nothing": (entry(groups=[{"q": {"keep": [0, 0]}}]), "groups[0].q.of: got None; write E"),
    "a part of the embedding": (
        entry(groups=[{"q": {"of": "E", "keep": [0, 0]}}]),
        "groups[0].q: got of: E with a part that stays; the embedding has no attention",
    ),
    "a pattern of all": (
        entry(groups=[{"q": {"of": "all-prev", "pattern": "zero"}}]),
        "groups[0].q: got of: all-prev with a part that stays",
    ),
    "term key": (entry(groups=[{"q": {"heads": "L0"}}]), "groups[0].q: unknown 'heads'"),
    "twice": (BASELINE, "hypotheses[1] (baseline).name: 'baseline' stands here twice"),
    "taken": (entry(name="unscrubbed"), "'unscrubbed' stands here twice"),
    "controls in words": (entry(controls="many"), ".controls: got 'many'; write a number from 0"),
    "controls, yes": (entry(controls=True), ".controls: got True; write a number from 0 to 1000"),
    "half a control": (entry(controls=1.5), ".controls: got 1.5; write a number from 0 to 1000"),
    "controls below 0": (entry(controls=-1), ".controls: got -1; write a number from 0 to 1000"),
    "controls left empty": (entry(controls=None), ".controls: got None; write a number from 0"),
    "controls of an edit": (
        entry(controls=3, edit={"prev1": "zero"}),
        ".controls: got 3 beside an edit; random hypotheses are of cells in groups, so leave out",
    ),
    "too many controls": (
        entry(controls=1001),
        ".controls: got 1001; write a number from 0 to 1000; 39 let a hypothesis",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_one_line_that_names_the_key(case):
    content, message = FAULTS[case]
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        parsed(content)
    assert str(caught.value).startswith("h.yaml: hypotheses[1]")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variants", "name"),
    [
        ({"decoherent": True}, "one-decoherent"),
        ({"controls": 2}, "one-random-1"),
        ({"controls": 2}, "one-random-2"),
    ],
)
def test_a_name_that_a_variant_has_is_refused_whichever_stands_first(variants, name):
    said = re.escape(f"name: {name!r} stands here twice; choose another")
    for first, second in (
        (entry(**variants), entry(name=name)),
        (entry(name=name), entry(**variants)),
    ):
        with pytest.raises(UserError, match=said) as caught:
            parsed(first, second)
        assert str(caught.value).startswith(f"h.yaml: hypotheses[2] ({second['name']}).")


def test_a_name_that_no_variant_has_is_taken_though_it_looks_like_one():
    found = parsed(entry(controls=2), entry(name="one-random-3"), entry(name="one-decoherent"))
    assert [one.name for one in found.hypotheses[2:]] == ["one-random-3", "one-decoherent"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "h.yaml: hypotheses: got None; write a list of hypotheses"),
        ({"hypotheses": []}, "h.yaml: hypotheses: got []; write a list of hypotheses"),
        ({"hypotheses": [entry()]}, "h.yaml: hypotheses: none is named 'baseline'"),
        (
            {"hypotheses": [BASELINE], "curve": ["baseline", "two"]},
            "h.yaml: curve[1]: unknown 'two'; choose among unscrubbed, baseline",
        ),
        (
            {"hypotheses": [BASELINE], "curve": "unscrubbed"},
            "h.yaml: curve: got 'unscrubbed'; write a list of names",
        ),
        (
            {"hypotheses": [BASELINE], "curve": None},
            "h.yaml: curve: got None; write a list of names",
        ),
        ({"hypotheses": [BASELINE], "more": 1}, "h.yaml: unknown 'more'"),
        ({"hypotheses": ["all"]}, "h.yaml: hypotheses[0]: got 'all'; write keys with values"),
    ],
)
def test_a_fault_of_the_file_is_one_line(content, message):
    with pytest.raises(UserError, match=re.escape(message)):
        parse(content, "h.yaml")


def test_a_file_is_named_by_its_path_in_what_is_said_of_it(tmp_path):
    file: Path = tmp_path / "mine.yaml"
    file.write_text("hypotheses:\n  - {name: baseline, heads: L1, groups: [{q: L0, q: E}]}\n")
    with pytest.raises(UserError, match=r"mine\.yaml, line 2, column \d+: .*'q' stands here twice"):
        read(file)
    file.write_text("hypotheses:\n  - {name: baseline, heads: [1.5], groups: [{q: L0}]}\n")
    with pytest.raises(UserError) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}: hypotheses[0] (baseline).heads: got the number")


def test_a_variant_may_stand_on_the_curve():
    curve = ["baseline", "one-random-1", "unscrubbed"]
    assert parsed(entry(controls=1), curve=curve).curve == tuple(curve)
