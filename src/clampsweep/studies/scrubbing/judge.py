"""What is concluded of each hypothesis and of the two heads, with the controls of each claim.

Three claims: a hypothesis recovers most of the loss (more than half); it recovers more than random
hypotheses of its size; two induction heads do not harm the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from clampsweep import ledger
from clampsweep.ledger import Conclusions, Control, ran, skipped
from clampsweep.statistics import benjamini_hochberg, rank_interval, rank_p
from clampsweep.studies.scrubbing.hypotheses import BASELINE, DECOHERENT, Hypothesis
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.recovered import interval, recovered_of
from clampsweep.studies.scrubbing.tally import Tally
from clampsweep.verdicts import (
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    UNTESTABLE,
    VACUOUS,
    Claim,
    Result,
    conclude,
)

MOST = 0.5  # of the loss

RECOVERS, BEATS, DIFFER = "recovers most", "beats random", "heads differ"

WORDS = {
    RECOVERS: {
        SUPPORTED: "recovers most",
        CONTRADICTED: "recovers less than half",
        INCONCLUSIVE: "about half: no answer",
    },
    BEATS: {
        SUPPORTED: "better than random hypotheses of its size",
        CONTRADICTED: "worse than random hypotheses of its size",
        INCONCLUSIVE: "no better than random hypotheses of its size",
    },
    DIFFER: {
        SUPPORTED: "their losses differ",
        CONTRADICTED: "no difference",
        INCONCLUSIVE: "no difference found",
    },
}

_NOTHING = (
    "baseline and unscrubbed do not differ here (the interval of their difference holds 0, or "
    "fewer than 2 examples have a position)"
)

_EXACT = "its draws are the example itself, so nothing is scrubbed"

_MOST_OWN = 0.05  # of the draws, that may be the example itself

_RANDOM_ONES = "random hypotheses of its size"


class _Found(NamedTuple):
    """A claim with its numbers, before its q is known."""

    claim: Claim
    result: Result
    why: str
    untestable: str
    vacuous: str
    least_q: float | None
    controls: Sequence[Control]


def judge(tally: Tally, hypotheses: Sequence[Hypothesis], two_heads: Sequence[str]) -> Conclusions:
    """The verdicts of an entry, and the ledger of their controls.

    Args:
        tally: Of all examples.
        hypotheses: As the file has them.
        two_heads: Experiments that scrub one head each.
    """
    found = [
        *_recoveries(tally, hypotheses),
        *_against_random(tally, hypotheses),
        *_differences(tally, two_heads),
    ]
    qs = _corrected(found)
    return ledger.conclusions(
        (_concluded(one, q), one.controls) for one, q in zip(found, qs, strict=True)
    )


def _concluded(one: _Found, q: float | None) -> dict[str, Any]:
    row = conclude(
        one.claim,
        one.result._replace(q=q),
        "?",
        one.why,
        least_q=one.least_q,
        untestable=one.untestable,
        vacuous=one.vacuous,
    )
    none = {UNTESTABLE: "cannot be tested", VACUOUS: "says nothing"}
    return {**row, "words": (WORDS[one.claim.name] | none)[row["verdict"]]}


def _corrected(found: Sequence[_Found]) -> list[float | None]:
    """Q of each, corrected within the claims of its name."""
    qs: list[float | None] = [None] * len(found)
    for name in WORDS:
        at = [
            i for i, one in enumerate(found)
            if one.claim.name == name and one.result.p is not None
            and not (one.untestable or one.vacuous)
        ]  # fmt: skip
        adjusted = benjamini_hochberg([float(found[i].result.p or 0) for i in at])
        for i, q in zip(at, adjusted.tolist(), strict=True):
            qs[i] = q
    return qs


def _recoveries(tally: Tally, hypotheses: Sequence[Hypothesis]) -> Iterator[_Found]:
    """Does a hypothesis recover more than half of the loss of a category?"""
    ratios, undefined = recovered_of(tally.means)
    low, high = interval(ratios.resampled)
    for hypothesis, name in _judged(hypotheses):
        row = tally.experiments.index(name)
        controls = [_random(hypothesis, name), _decoherent(hypothesis, name)]
        for c, category in enumerate(CATEGORIES):
            yield _Found(
                Claim("scrubbing", RECOVERS, name, "greater", "share of the loss", category),
                Result(
                    ratios.mean[row, c], low[row, c], high[row, c], MOST,
                    int(tally.n_examples[row, c]), _one_sided(ratios.resampled[:, row, c], MOST),
                ),
                f"loss recovered over {tally.count[row, c]:,} positions, resampled by example",
                _NOTHING if undefined[c] else _unlike(tally, name, hypothesis),
                _vacuous(hypothesis),
                None,
                controls,
            )  # fmt: skip


def _judged(hypotheses: Sequence[Hypothesis]) -> Iterator[tuple[Hypothesis, str]]:
    """Each hypothesis but the baseline, and its decoherent form."""
    for one in hypotheses:
        if one.name != BASELINE:
            for name, which in one.variants.items():
                if not isinstance(which, int):
                    yield one, name


def _vacuous(hypothesis: Hypothesis) -> str:
    return _EXACT if hypothesis.sampler.kind == "exact" else ""


def _unlike(tally: Tally, name: str, hypothesis: Hypothesis) -> str:
    """Why draws of `func` are too few: examples that none is like are drawn for themselves."""
    own, number = tally.draws[tally.experiments.index(name)]
    if hypothesis.sampler.kind != "func" or own <= _MOST_OWN * number:
        return ""
    return (
        f"{100 * own / number:.0f} % of its draws are the example itself, because no other has its "
        f"{hypothesis.sampler.of}"
    )


def _random(hypothesis: Hypothesis, name: str) -> Control:
    if name.endswith(DECOHERENT) or not hypothesis.controls:
        return skipped(_RANDOM_ONES, "not asked for: see the key controls of the hypothesis")
    return ran(_RANDOM_ONES, hypothesis.controls, f"see the claim {BEATS!r}")


def _decoherent(hypothesis: Hypothesis, name: str) -> Control:
    kind = "decoherent draws"
    if not hypothesis.decoherent:
        return skipped(kind, "not asked for: see the key decoherent of the hypothesis")
    return ran(kind, 1, "the same cells, a draw for each path: a claim of its own")


def _against_random(tally: Tally, hypotheses: Sequence[Hypothesis]) -> Iterator[_Found]:
    """Does a hypothesis recover more than random ones that keep as much?"""
    ratios, undefined = recovered_of(tally.means)
    for one in hypotheses:
        named = [name for name, which in one.variants.items() if isinstance(which, int)]
        if not named:
            continue
        rows = [tally.experiments.index(name) for name in named]
        for c, category in enumerate(CATEGORIES):
            own, others = float(ratios.mean[tally.experiments.index(one.name), c]), []
            result, obstacle = Result(n=len(rows)), _NOTHING
            if not undefined[c]:
                others, obstacle = ratios.mean[rows, c].tolist(), ""
                ends = rank_interval(own, others)
                low, high = (end if np.isfinite(end) else None for end in ends)
                result = Result(
                    own, low, high, float(np.median(others)), len(rows), rank_p(own, others)
                )
            yield _Found(
                Claim("scrubbing", BEATS, one.name, "greater", "share of the loss", category),
                result,
                f"its rank among {len(rows)} random hypotheses that keep as many cells of each "
                "channel",
                obstacle or _unlike(tally, one.name, one),
                _vacuous(one),
                1 / (1 + len(rows)),
                [ran(_RANDOM_ONES, len(rows), "parts chosen anew for each head and channel")],
            )


def _differences(tally: Tally, pair: Sequence[str]) -> Iterator[_Found]:
    """Do two heads harm differently when scrubbed?"""
    means = tally.means
    first, second = (means.experiments.index(name) for name in pair)
    resampled = means.resampled[:, first] - means.resampled[:, second]
    low, high = interval(resampled)
    for c, category in enumerate(CATEGORIES):
        estimate = means.mean[first, c] - means.mean[second, c]
        p = _one_sided(resampled[:, c] * np.sign(estimate), 0)
        yield _Found(
            Claim("scrubbing", DIFFER, f"{pair[0]} and {pair[1]}", "different", "nats", category),
            Result(
                estimate,
                low[c],
                high[c],
                0.0,
                int(tally.n_examples[first, c]),
                None if p is None else min(1.0, 2 * p),
            ),
            f"mean loss under {pair[0]} minus that under {pair[1]}",
            "",
            "",
            None,
            [skipped("other heads of layer 1", "none is scrubbed alone")],
        )


def _one_sided(resampled: np.ndarray, null: float) -> float | None:
    """P value: share of resamples not above null, as if one more were not; None without any."""
    known = resampled[np.isfinite(resampled)]
    return float((1 + (known <= null).sum()) / (1 + len(known))) if len(known) else None
