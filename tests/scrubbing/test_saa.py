from __future__ import annotations

import numpy as np
import pytest
import torch

from clampsweep.studies.scrubbing.engine import Engine
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.planted import planted
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.saa import attribution, attribution_table
from clampsweep.studies.scrubbing.samplers import Pool
from clampsweep.studies.scrubbing.tables import SAA
from clampsweep.studies.scrubbing.variants import experiments
from clampsweep.tables import read, write
from scrubbing.models import ROLES, examples, weights

TOKENS = examples()
WHOLE = {"q": "all", "k": "all", "v": "all"}
ENTRIES = [
    {"name": "baseline", "heads": "induction", "groups": [WHOLE]},
    {"name": "one", "heads": "induction1", "groups": [{"q": "L0"}, {"v": "all"}]},
    {"name": "fixed", "heads": "induction", "groups": [WHOLE], "sampler": "fixed(4)"},
]
BY_NAME = {e.name: e for e in experiments(parse({"hypotheses": ENTRIES}, "h").hypotheses, ROLES)}


def engine() -> Engine:
    return Engine(weights(), torch.from_numpy(TOKENS))


def found(first: str, second: str, n: int = 6):
    pair = BY_NAME[first], BY_NAME[second]
    return attribution(engine(), Pool(TOKENS, 0), 3, *pair, n)


def test_a_tokens_dloss_is_the_second_minus_the_first_over_the_same_draws():
    pool, differences = Pool(TOKENS, 0), []
    for repeat in range(6):
        drawn = {
            name: {d: pool.draw(one.sampler, d, 3, repeat) for d in one.draws}
            for name, one in BY_NAME.items()
        }
        losses = [
            engine().example(3).nll(BY_NAME[name], drawn[name]) for name in ("one", "baseline")
        ]
        differences.append((losses[1] - losses[0]).numpy())
    got = found("one", "baseline")
    assert got.dloss[0] == 0 and got.se[0] == 0  # the first token is not predicted
    assert np.allclose(got.dloss[1:], np.mean(differences, 0))
    assert np.allclose(got.se[1:], np.std(differences, 0, ddof=1) / np.sqrt(6))
    back = found("baseline", "one")
    assert np.allclose(back.dloss, -got.dloss)


def test_without_draws_or_with_one_that_is_fixed_there_is_no_variance():
    same = found("unscrubbed", "unscrubbed")
    assert not same.dloss.any() and not same.se.any()
    fixed = found("unscrubbed", "fixed")
    assert abs(fixed.dloss).max() > 0.1 and fixed.se.max() < 1e-12
    assert np.isnan(found("unscrubbed", "one", n=1).se).all()


def test_in_the_planted_model_the_second_copy_depends_on_the_head_and_the_first_does_not():
    model = planted()
    listed = experiments(parse(model.hypotheses, "h").hypotheses, ROLES._replace(n_heads=2))
    one = Engine(model.weights, torch.from_numpy(model.tokens))
    got = attribution(one, Pool(model.tokens, 0), 0, listed[0], listed[1], 8)
    assert (got.dloss[18:] > 3).all()  # tokens of the second copy, but for its first
    assert abs(got.dloss[:18]).max() < 1e-4


def test_rows_say_token_categories_and_pair(tmp_path):
    flags = np.zeros((len(CATEGORIES), TOKENS.shape[1] - 1), bool)
    flags[0], flags[3, 4] = True, True
    frame = attribution_table(found("one", "baseline"), 3, ["one", "baseline"], TOKENS[3], flags, 6)
    write(frame.assign(item="0"), tmp_path / "t.parquet", SAA, {})
    back = read(tmp_path / "t.parquet", SAA)
    assert back["token"].tolist() == TOKENS[3].tolist()
    assert back["categories"].tolist()[:2] == ["", "OVERALL"]
    assert back["categories"][5] == "OVERALL; REPEATS"  # position 4's label is token 5
    assert back["dloss"].tolist() == pytest.approx(found("one", "baseline").dloss.tolist())
