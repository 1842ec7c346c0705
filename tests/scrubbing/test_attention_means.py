from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from clampsweep.studies.scrubbing.attention_means import (
    ATTENTION,
    TOTALS,
    attention_mean,
    attention_table,
    key_totals,
    parroting,
    totals_table,
)
from clampsweep.studies.scrubbing.engine import Engine
from clampsweep.studies.scrubbing.planted import planted
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.samplers import Pool
from clampsweep.studies.scrubbing.variants import experiments
from clampsweep.tables import read, write
from scrubbing.models import N_HEADS, ROLES, examples, neox, weights

TOKENS = examples()
ENTRIES = [{"name": "baseline", "heads": "induction", "groups": [{"q": "L0"}, {"k": "E"}]}]
UNSCRUBBED, SCRUBBED = experiments(parse({"hypotheses": ENTRIES}, "h").hypotheses, ROLES)
ENGINE, POOL = Engine(weights(), torch.from_numpy(TOKENS)), Pool(TOKENS, 0)


def test_without_scrubbing_the_mean_is_the_models_own_pattern_of_layer_1():
    catch: list[torch.Tensor] = []
    attention = neox().gpt_neox.layers[1].attention
    handle = attention.query_key_value.register_forward_hook(lambda *args: catch.append(args[2]))
    with torch.inference_mode():
        neox()(torch.from_numpy(TOKENS[3:4, :-1]))
    handle.remove()
    values = catch[0].view(-1, N_HEADS, 3, 8)[:, :, 2]  # [pos, head, d_head]
    found = torch.from_numpy(attention_mean(ENGINE, POOL, 3, UNSCRUBBED, 2))
    example = ENGINE.example(3)
    mixed = torch.stack(example._heads(example._resolved(UNSCRUBBED, {})[0]))
    assert torch.allclose(found @ values.transpose(0, 1), mixed, atol=1e-10)


def test_it_is_the_mean_over_draws_and_scores_are_before_the_softmax():
    one_by_one = [
        ENGINE.example(3).patterns(
            SCRUBBED, {d: POOL.draw(SCRUBBED.sampler, d, 3, repeat) for d in SCRUBBED.draws}
        )
        for repeat in range(5)
    ]
    found = attention_mean(ENGINE, POOL, 3, SCRUBBED, 5)
    assert np.allclose(found, torch.stack(one_by_one).mean(0).numpy())
    raw = attention_mean(ENGINE, POOL, 3, UNSCRUBBED, 1, raw=True)
    own = attention_mean(ENGINE, POOL, 3, UNSCRUBBED, 1)
    assert np.allclose(torch.from_numpy(raw).softmax(-1), own)


def test_key_totals_are_mean_attention_over_the_queries_that_can_see_the_key():
    mean = np.array([[[1, 0, 0], [0.25, 0.75, 0], [0.5, 0.3, 0.2]]])
    assert np.allclose(key_totals(mean), [[1.75 / 3, 1.05 / 2, 0.2]])


def test_tables_hold_a_row_for_each_pair_that_sees_and_for_each_token(tmp_path):
    difference = attention_mean(ENGINE, POOL, 3, UNSCRUBBED, 1)
    difference -= attention_mean(ENGINE, POOL, 3, SCRUBBED, 4)
    frame = attention_table(difference, 3, "unscrubbed", "baseline", heads=[3, 1], n_tokens=5)
    write(frame.assign(item="0"), tmp_path / "a.parquet", ATTENTION, {})
    back = read(tmp_path / "a.parquet", ATTENTION)
    assert len(back) == 2 * 15
    row = back[(back["head"] == 1) & (back["query"] == 4) & (back["key"] == 2)].iloc[0]
    assert row["mean"] == difference[1, 4, 2] and row["second"] == "baseline"
    own = attention_mean(ENGINE, POOL, 3, UNSCRUBBED, 1)
    totals = totals_table(own, 3, "unscrubbed", TOKENS[3, :-1], [1])
    write(totals.assign(item="0"), tmp_path / "t.parquet", TOTALS, {})
    assert read(tmp_path / "t.parquet", TOTALS)["total"].tolist() == key_totals(own)[1].tolist()


def test_the_parroting_list_is_led_by_what_is_looked_at_wherever_it_stands():
    rows = [(0, p, token, total) for p, token, total in [
        (0, 9, 1.0), (1, 5, 0.2), (2, 6, 0.5), (3, 5, 0.4), (4, 7, 0.9), (5, 6, 0.1), (6, 9, 0.2),
    ]]  # fmt: skip
    totals = pd.DataFrame(rows, columns=["head", "position", "token", "total"])
    totals = pd.concat([totals, totals.assign(head=1, total=1.0)])
    found = parroting(totals, 0, n=2, n_least=2)
    assert found["token"].tolist() == [5, 6]  # 7 and (but for the first place) 9 occur once
    assert found["times"].tolist() == [2, 2]
    assert np.allclose(found["total"], [0.3, 0.3])
    assert parroting(totals, 0, n=9, n_least=1)["token"].tolist() == [7, 5, 6, 9]


def test_the_planted_head_looks_at_the_token_after_the_earlier_one():
    model = planted()
    engine = Engine(model.weights, torch.from_numpy(model.tokens))
    listed = experiments(parse(model.hypotheses, "h").hypotheses, ROLES._replace(n_heads=2))
    found = attention_mean(engine, Pool(model.tokens, 0), 0, listed[0], 1)[0]
    second = np.arange(17, 32)  # inputs of the second copy; a period is 16
    assert np.allclose(found[second, second - 15], 1, atol=1e-3)
