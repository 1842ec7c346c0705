from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.cells import REFERENCE, Experiment, Source, compiled
from clampsweep.studies.scrubbing.reading import parse
from scrubbing.models import ROLES  # heads 0 to 3; prev 0.0 0.2, self 0.1, induction 1.3 1.1


def experiment(**content: Any) -> Experiment:
    entry = {"name": "baseline", "heads": "induction", **content}
    return compiled(parse({"hypotheses": [entry]}, "h.yaml").hypotheses[0], ROLES)


def test_each_group_is_a_number_and_what_is_in_none_is_0():
    found = experiment(
        heads="induction1", groups=[{"q": "L0-prev1", "skip": "E"}, {"v": ["E", "0.3"]}]
    )
    assert found.sources == (REFERENCE, Source(1), Source(2))
    expected = np.zeros((4, 3, 5), int)
    expected[3, 0] = [0, 0, 1, 1, 1]  # E, 0.0, 0.1, 0.2, 0.3
    expected[3, 2] = [2, 0, 0, 0, 2]
    assert (found.cells == expected).all()
    assert found.skip.tolist() == [1, 0, 0, 0, 0]
    assert found.draws == (1, 2)
    assert found.kept == 60 - 5


def test_a_rank_is_the_place_by_score_not_by_number():
    one, two = (experiment(heads=f"induction{rank}", groups=[{"q": "E"}]) for rank in (1, 2))
    assert np.argwhere(one.cells).tolist() == [[3, 0, 0]]
    assert np.argwhere(two.cells).tolist() == [[1, 0, 0]]


def test_all_cells_and_skip_leave_nothing_of_the_reference():
    found = experiment(heads="L1", groups=[{**dict.fromkeys("qkv", "all"), "skip": "all"}])
    assert (found.cells == 1).all() and (found.skip == 1).all()
    assert found.kept == 0


def test_an_edit_is_in_every_cell_of_the_head_whatever_else_is_drawn_there():
    found = experiment(groups=[{"q": "0.0"}], edit={"0.0": "zero"})
    of_head = {found.sources[i] for i in {*found.cells[..., 1].flat, found.skip[1]}}
    assert of_head == {Source(0, "zero"), Source(1, "zero")}
    assert not found.cells[..., [0, 2, 3, 4]].any()
    assert found.draws == (1,)
    alone = experiment(edit={"0.0": "zero"})
    assert alone.draws == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"groups": [{"q": "L0"}, {"v": "E"}, {"q": ["E", "0.2"]}]},
            ".groups[2].q: 0.2 -> q of 1.1 is scrubbed by groups[0] too; a cell has one draw",
        ),
        (
            {"groups": [{"skip": "E"}, {"skip": "all"}]},
            ".groups[1].skip: E -> skip is scrubbed by groups[0] too",
        ),
        (
            {"groups": [{"k": ["L0", {"of": "prev1", "keep": [-1, 0]}]}]},
            ".groups[0].k: 0.0 -> k of 1.1 is scrubbed by groups[0] too",
        ),
        ({"groups": [{"q": "0.7"}]}, ".groups[0].q: 0.7 is no head of layer 0; there are 0.0 to"),
        ({"groups": [{"q": "1.0"}]}, ".groups[0].q: 1.0 is no head of layer 0"),
        ({"groups": [{"q": "induction"}]}, ".groups[0].q: induction is no head of layer 0"),
        ({"heads": "prev", "groups": [{"q": "E"}]}, ".heads: prev is no head of layer 1"),
        ({"groups": [{"q": "first"}]}, ".groups[0].q: no head is 'first': too low"),
        ({"groups": [{"q": "prev3"}]}, ".groups[0].q: prev3: only 2 head(s) are 'prev'"),
        ({"groups": [{"q": "prev-L0"}]}, ".groups[0].q: prev-L0 is nothing: scrubs nothing"),
        (
            {"groups": [{"q": {"of": "0.0", "keep": [0, 0]}}], "edit": {"0.0": "zero"}},
            ".edit.0.0: a group gives this head a pattern too",
        ),
        ({"edit": {"first": "zero"}}, ".edit.first: no head is 'first'"),
    ],
)
def test_what_fits_no_model_or_overlaps_is_one_line(content, message):
    with pytest.raises(UserError, match=re.escape(f"h.yaml: hypotheses[0] (baseline){message}")):
        experiment(**content)
