from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clampsweep.studies.scrubbing.cells import (
    REFERENCE,
    Experiment,
    Source,
    compiled,
    unscrubbed,
)
from clampsweep.studies.scrubbing.hypotheses import DECOHERENT
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.samplers import UNCOND
from clampsweep.studies.scrubbing.variants import decoherent, experiments, shuffled, variant
from scrubbing.models import ROLES  # heads 0 to 3; prev 0.0 0.2, self 0.1, induction 1.3 1.1


def experiment(**content: Any) -> Experiment:
    entry = {"name": "baseline", "heads": "induction", **content}
    return compiled(parse({"hypotheses": [entry]}, "h.yaml").hypotheses[0], ROLES)


def test_unscrubbed_comes_first_and_variants_stand_beside_theirs():
    entry = {"name": "baseline", "heads": "L1", "groups": [{"q": "E"}], "decoherent": True}
    other = {**entry, "name": "two", "decoherent": False, "controls": 2}
    listed = parse({"hypotheses": [entry, other]}, "h.yaml")
    found = experiments(listed.hypotheses, ROLES)
    assert [one.name for one in found] == [
        *("unscrubbed", "baseline", "baseline-decoherent"),
        *("two", "two-random-1", "two-random-2"),
    ]
    for one in listed.hypotheses:
        assert set(one.variants) <= {each.name for each in found}
    assert not unscrubbed(4).cells.any() and not unscrubbed(4).skip.any()


def test_a_variant_is_what_its_word_says():
    own = experiment(groups=[{"q": "L0"}])
    assert variant(own, "") is own
    assert variant(own, DECOHERENT).name == "baseline-decoherent"
    assert variant(own, 7).name == "baseline-random-7"
    assert variant(own, 7).cells.tolist() == shuffled(own, 7).cells.tolist()


# Decoherent


def test_decoherent_draws_differ_between_any_two_cells_and_scrub_the_same():
    coherent = experiment(groups=[{"q": "L0", "k": {"of": "prev1", "keep": [-1, 0]}}])
    apart = decoherent(coherent)
    assert ((apart.cells != 0) == (coherent.cells != 0)).all()
    assert len(apart.draws) == (coherent.cells != 0).sum() == 2 * 5
    windowed = {apart.sources[i].keep for i in apart.cells[:, 1].flat if i}
    assert windowed == {(-1, 0)}


def test_a_path_has_the_same_draw_in_every_decoherent_experiment():
    narrow = decoherent(experiment(groups=[{"v": "0.2"}]))
    wide = decoherent(experiment(groups=[{"q": "all", "v": "L0", "skip": "E"}]))
    draws = [one.sources[one.cells[1, 2, 3]].draw for one in (narrow, wide)]
    assert draws[0] == draws[1] > 0


def test_the_way_past_layer_1_has_draws_of_its_own_too():
    apart = decoherent(experiment(groups=[{"q": "all", "skip": "all"}]))
    numbers = [apart.sources[i].draw for i in (*apart.cells.flat, *apart.skip) if i]
    assert len(numbers) == len(set(numbers)) == 2 * 5 + 5
    assert (apart.skip != 0).all()


def test_what_is_edited_and_not_drawn_stays_of_the_example():
    apart = decoherent(experiment(groups=[{"q": "0.1"}], edit={"0.0": "zero"}))
    edited = {apart.sources[i] for i in (*apart.cells[..., 1].flat, apart.skip[1])}
    assert edited == {Source(0, "zero")}
    assert len(apart.draws) == 2


# Random ones


def sources(n: int) -> tuple[Source, ...]:
    return (REFERENCE, *(Source(1 + i) for i in range(n)))


CELLS = arrays(np.int64, (4, 3, 5), elements=st.integers(0, 2))


@given(CELLS, arrays(np.int64, 5, elements=st.integers(0, 2)), st.integers(1, 1000))
def test_a_random_one_scrubs_as_many_cells_of_each_head_and_channel(cells, skip, number):
    own = Experiment("one", UNCOND, sources(2), cells, skip)
    found = shuffled(own, number)
    for head in range(4):
        for channel in range(3):
            # As many from each draw, too.
            assert Counter(found.cells[head, channel].tolist()) == Counter(
                cells[head, channel].tolist()
            )
    assert (found.skip == skip).all()
    assert (found.sources, found.sampler) == (own.sources, own.sampler)


@given(CELLS, st.integers(1, 1000))
def test_the_same_number_gives_the_same_cells_and_changes_nothing_of_the_hypothesis(cells, number):
    own = unscrubbed(4)._replace(sources=sources(2), cells=cells.copy())
    assert (shuffled(own, number).cells == shuffled(own, number).cells).all()
    assert (own.cells == cells).all()


WIDE = experiment(heads="L1", groups=[{"q": "L0-self", "k": ["E", "0.1"], "v": "L0-prev1"}])


def test_other_numbers_give_other_cells():
    found = {shuffled(WIDE, number).cells.tobytes() for number in range(1, 201)}
    assert len(found) == 200


def test_heads_and_channels_are_shuffled_each_for_itself():
    rows = [shuffled(WIDE, number).cells.reshape(12, 5) for number in range(1, 41)]
    first, second = (np.array([one[row] for one in rows]) for row in (0, 3))  # q of 1.0 and of 1.1
    assert (first != second).any(1).sum() > 20


def test_every_upstream_part_is_as_likely_to_be_scrubbed():
    share = np.mean([shuffled(WIDE, number).cells != 0 for number in range(1, 401)], axis=0)
    wanted = (WIDE.cells != 0).mean(2)  # [head, channel]
    assert np.abs(share - wanted[..., None]).max() < 0.1  # four standard errors


@pytest.mark.parametrize("skip", [0, 1])
def test_nothing_scrubbed_stays_nothing_and_all_stays_all(skip):
    nothing = unscrubbed(4)
    assert not shuffled(nothing, 1).cells.any()
    every = nothing._replace(sources=sources(1), cells=np.ones((4, 3, 5), int))
    every = every._replace(skip=np.full(5, skip))
    assert (shuffled(every, 1).cells == 1).all()
    assert shuffled(every, 1).skip.tolist() == [skip] * 5
