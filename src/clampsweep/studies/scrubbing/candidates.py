"""Candidates: tokens after which exact induction predicts better than what usually follows them.

The rule that chose the published list is not known. This one is ours: over documents, the loss of
a smoothed bigram model is held against that of the same mixed with exact induction.

- Bigram: p(y | x) = (n(x, y) + A p(y)) / (n(x) + A), p(y) = (n(y) + 1) / (n + V), n counted over
  all documents.
- Induction: i(y | x) = the share of earlier places of x in this document that y followed.
- Gain of a token x: mean over the places where x occurred earlier in the document of
  log(M i + (1 - M) p) - log p, nats.
- Candidates: of the tokens with at least `N_LEAST` such places, the share with the highest gains,
  if above 0.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import log

import numpy as np
from jaxtyping import Bool, Float64, Int

SHARE = 0.2  # of the tokens that occur again, the candidates

_A, _M = 10.0, 0.5  # weight of the unigram, in counts; share of induction in the mixture

N_LEAST = 5  # places at which a gain is known


def candidates(
    tokens: Int[np.ndarray, "document pos"], d_vocab: int, share: float = SHARE
) -> Bool[np.ndarray, " d_vocab"]:
    """Whether each token is a candidate.

    Args:
        tokens: Of the documents, BOS first; BOS is no candidate.
        d_vocab: Number of tokens.
        share: Of the tokens whose gain is known.
    """
    gain = gains(tokens, d_vocab)
    known = np.flatnonzero(np.isfinite(gain))
    best = known[np.argsort(-gain[known], kind="stable")][: round(share * len(known))]
    found = np.zeros(d_vocab, dtype=bool)
    found[best] = gain[best] > 0
    return found


def gains(tokens: Int[np.ndarray, "document pos"], d_vocab: int) -> Float64[np.ndarray, " d_vocab"]:
    """What induction gains after each token, nats; nan where it occurs again too seldom.

    Args:
        tokens: Of the documents, BOS first.
        d_vocab: Number of tokens.
    """
    pairs = Counter(
        zip(tokens[:, :-1].ravel().tolist(), tokens[:, 1:].ravel().tolist(), strict=True)
    )
    before = np.bincount(tokens[:, :-1].ravel(), minlength=d_vocab)
    single = (np.bincount(tokens.ravel(), minlength=d_vocab) + 1) / (tokens.size + d_vocab)
    before, single = before.tolist(), single.tolist()
    total, times = [0.0] * d_vocab, [0] * d_vocab
    for document in tokens.tolist():
        # Of this document: how often x occurred, and how often y followed it.
        seen: dict[int, int] = {}
        followed: dict[tuple[int, int], int] = {}
        for x, y in pairwise(document):
            if x in seen:
                bigram = (pairs[x, y] + _A * single[y]) / (before[x] + _A)
                induction = followed.get((x, y), 0) / seen[x]
                total[x] += log((_M * induction + (1 - _M) * bigram) / bigram)
                times[x] += 1
            seen[x] = seen.get(x, 0) + 1
            followed[x, y] = followed.get((x, y), 0) + 1
    known = np.array(times) >= N_LEAST
    return np.where(known, np.array(total) / np.maximum(times, 1), np.nan)
