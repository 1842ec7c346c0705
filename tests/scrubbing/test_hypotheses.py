"""The files of hypotheses that are shipped hold the experiments of the published table."""

from __future__ import annotations

from pathlib import Path

import pytest

from clampsweep.studies.scrubbing.faithfulness import sizes
from clampsweep.studies.scrubbing.reading import read
from clampsweep.studies.scrubbing.roles import Roles
from clampsweep.studies.scrubbing.variants import experiments

DATA = Path(__file__).parents[2] / "workflow/data/scrubbing"
PUBLISHED = Roles(
    8, {"prev": (0, 6), "self": (1, 2, 3, 5), "first": (4, 7), "induction": (5, 6)}, {}
)

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
