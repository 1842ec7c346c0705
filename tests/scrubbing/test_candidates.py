from __future__ import annotations

import math

import numpy as np

from clampsweep.studies.scrubbing.candidates import candidates, gains

BOS, NAME, COMMA = 0, 1, 2


def documents(n: int = 40, seed: int = 0) -> np.ndarray:
    """After NAME comes, in each document, always the same token; after COMMA, any."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(n):
        own, row = int(rng.integers(3, 20)), [BOS]
        for _ in range(8):
            row += [NAME, own, COMMA, int(rng.integers(3, 20))]
        rows.append(row)
    return np.array(rows)


def test_a_token_after_which_documents_repeat_themselves_is_a_candidate_and_another_is_none():
    found = gains(documents(), 20)
    assert found[NAME] > 0.5 > 0 > found[COMMA]
    # NAME and COMMA occur again often enough, and so do most of the others: the best tenth.
    chosen = candidates(documents(), 20, share=0.1)
    assert chosen[NAME] and not chosen[COMMA] and chosen.sum() == 2


def test_a_gain_is_the_formula_by_hand():
    tokens = np.array([[0, 1, 2, 1, 2, 1, 3, 1, 2, 1, 2, 1, 3]])
    single = {y: (int((tokens == y).sum()) + 1) / (13 + 4) for y in range(4)}
    pairs, n_1 = {2: 4, 3: 2}, 6
    # After 1: 2, then 2, 3, 2, 2, 3, each with what followed 1 before.
    seen = [(2, 1 / 1), (3, 0 / 2), (2, 2 / 3), (2, 3 / 4), (3, 1 / 5)]
    logs = []
    for y, share in seen:
        bigram = (pairs[y] + 10 * single[y]) / (n_1 + 10)
        logs.append(math.log(0.5 * share + 0.5 * bigram) - math.log(bigram))
    found = gains(tokens, 4)
    assert math.isclose(found[1], sum(logs) / 5)
    assert np.isnan(found[[0, 2, 3]]).all()  # 2 occurs again three times, 3 once: too seldom


def test_no_token_is_a_candidate_where_none_gains():
    tokens = np.random.default_rng(0).integers(1, 6, (30, 60))
    tokens[:, 0] = 0
    assert not candidates(tokens, 6, share=1).any()
