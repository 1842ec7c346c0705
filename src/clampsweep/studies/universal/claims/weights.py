"""What weights say: neurons that raise or lower few tokens, where they are, and folding."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from clampsweep.ledger import ran
from clampsweep.statistics import wilson
from clampsweep.studies.universal.claims.conclusions import Concluded, Conclusion
from clampsweep.studies.universal.gated import DEPLETING, ENRICHING, OWN, ROTATED
from clampsweep.studies.universal.mlp import FOLDED, RAW
from clampsweep.studies.universal.vocabulary import CUT, MIXTURE, SPHERE
from clampsweep.verdicts import Claim, Result, conclude

FEW_TOKENS = "neurons that raise or lower few tokens"
LATE = "such neurons are in the last quarter of the layers"
FOLDING = "folding the norms matters"
EARLY = "gated neurons enrich more in the early half of the layers"


def claims(vocab: pd.DataFrame, null: pd.DataFrame, gated: pd.DataFrame) -> Concluded:
    """Verdicts on the vocabulary statistics, each with its controls.

    Args:
        vocab: `VOCABULARY`.
        null: `VOCABULARY_NULL`.
        gated: `GATED_LAYERS`; empty for a model without gates.
    """
    return [
        *(_few_tokens(vocab, null, processing) for processing in (FOLDED, RAW)),
        _late(vocab),
        _folding(vocab),
        _early(gated),
    ]


def beyond(vocab: pd.DataFrame, processing: str) -> pd.DataFrame:
    """Rows of `VOCABULARY` whose kurtosis is above the cut.

    Args:
        vocab: `VOCABULARY`.
        processing: Raw or folded.
    """
    own = vocab[vocab["processing"] == processing]
    return own[own["vocab_kurt"] > CUT]


def _few_tokens(vocab: pd.DataFrame, null: pd.DataFrame, processing: str) -> Conclusion:
    """Share of neurons above the cut against that of random directions: Fisher's exact test."""
    own = beyond(vocab, processing)
    total = int((vocab["processing"] == processing).sum())
    own_null = null[null["processing"] == processing].set_index("null")["vocab_kurt"]
    drawn, mixed = own_null.loc[[SPHERE]], own_null.loc[[MIXTURE]]
    k, m = len(own), int((drawn > CUT).sum())
    test = stats.fisher_exact(
        np.array([[k, total - k], [m, len(drawn) - m]]), alternative="greater"
    )
    share, bounds = k / total, wilson(k, total)
    chance = wilson(m, len(drawn)).high  # what random directions may have at most
    p = float(test.pvalue)
    claim = Claim("universal", FEW_TOKENS, f"{total:,} neurons", "greater", "share", processing)
    result = Result(share, bounds.low, bounds.high, chance, total, p, p)
    row = conclude(claim, result, "-", "-")
    positive = int((own["vocab_skew"] > 0).sum())
    row["words"] = f"{k} neurons, {positive} of them with a positive skew"
    row["why"] = (
        f"vocabulary kurtosis above {CUT:g}; null: upper bound of {len(drawn):,} random directions"
    )
    return row, [
        ran(name, len(one), f"{int((one > CUT).sum())} above {CUT:g}, largest {one.max():.2f}")
        for name, one in ((SPHERE, drawn), (MIXTURE, mixed))
    ]


def _late(vocab: pd.DataFrame) -> Conclusion:
    """Share of them in the last quarter of the layers, layers dealt out anew."""
    own = beyond(vocab, FOLDED)
    n_layers = int(vocab["layer"].max()) + 1
    counts = np.bincount(own["layer"], minlength=n_layers)
    late = np.arange(n_layers) >= 3 * n_layers / 4
    n, n_draws = int(counts.sum()), 2000
    claim = Claim("universal", LATE, f"{n} neurons", "greater", "share", FOLDED)
    control = ran("orders of the layers", n_draws, "counts of layers dealt out anew")
    if not n:
        words = "there are none"
        return conclude(claim, Result(n=0), words, words), [control]
    rng = np.random.default_rng(0)
    drawn = np.array([rng.permutation(counts)[late].sum() for _ in range(n_draws)])
    found = int(counts[late].sum())
    p = float((1 + (drawn >= found).sum()) / (1 + n_draws))
    bounds = wilson(found, n)
    result = Result(found / n, bounds.low, bounds.high, float(late.mean()), n, p, p)
    words = f"{found} of {n}; layer {int(counts.argmax())} alone has {int(counts.max())}"
    why = f"layers {int(late.argmax())} to {n_layers - 1}; p by dealing the layers' counts out anew"
    return conclude(claim, result, words, why), [control]


def _folding(vocab: pd.DataFrame) -> Conclusion:
    """Whether raw and folded kurtosis rank neurons differently, layer by layer."""
    table = vocab.pivot(index=["layer", "neuron"], columns="processing", values="vocab_kurt")
    by_layer = [
        float(stats.spearmanr(rows[RAW], rows[FOLDED]).statistic)
        for _, rows in table.groupby(level="layer")
    ]
    value, n = float(np.mean(by_layer)), len(by_layer)
    claim = Claim("universal", FOLDING, f"{n} layers", "less", "rank correlation")
    control = ran("layers", n, "of each the rank correlation of raw and folded kurtosis")
    if n < 3:
        row = conclude(claim, Result(value, null=0.9, n=n), f"{value:.2f}", "raw against folded",
                       untestable=f"{n} layers give no interval")  # fmt: skip
        return row, [control]
    se = float(np.std(by_layer, ddof=1) / np.sqrt(n))
    reach = float(stats.t.ppf(0.975, n - 1)) * se
    p = float(stats.t.cdf((value - 0.9) / se, n - 1)) if se > 0 else float(value >= 0.9)
    counts = {each: len(beyond(vocab, each)) for each in (RAW, FOLDED)}
    words = f"raw weights give {counts[RAW]} such neurons, folded ones {counts[FOLDED]}"
    why = f"Spearman of raw and folded vocabulary kurtosis is {value:.2f}, mean over {n} layers"
    result = Result(value, value - reach, value + reach, 0.9, n, p, p)
    return conclude(claim, result, words, why), [control]


def net_shares(gated: pd.DataFrame, which: str) -> pd.Series:
    """Share of a layer's neurons that enrich less that of those that deplete, by layer.

    Args:
        gated: `GATED_LAYERS`.
        which: Own weights or rotated ones.
    """
    own = gated[gated["weights"] == which]
    sign = own["class"].isin(ENRICHING).astype(int) - own["class"].isin(DEPLETING).astype(int)
    nets = (sign * own["n"]).groupby(own["layer"]).sum() / own.groupby("layer")["n"].sum()
    found: pd.Series = nets.fillna(0.0)
    return found


def _early(gated: pd.DataFrame) -> Conclusion:
    """Net enrichment of the first half of the layers less that of the last, layers dealt anew."""
    n_draws = 2000
    claim = Claim("universal", EARLY, "all layers", "greater", "difference of net shares")
    control = ran("orders of the layers", n_draws, "layers dealt out anew")
    if gated.empty:
        words = "an MLP without a gate has no such classes"
        return conclude(claim, Result(), words, words, untestable=words), [control]
    own, turned = (net_shares(gated, which).to_numpy(float) for which in (OWN, ROTATED))
    half, n = len(own) // 2, len(own)
    early, late = own[:half], own[n - half :]
    value = float(early.mean() - late.mean())
    rng = np.random.default_rng(0)
    orders = [rng.permutation(own) for _ in range(n_draws)]
    drawn = np.array([one[:half].mean() - one[n - half :].mean() for one in orders])
    p = float((1 + (drawn >= value).sum()) / (1 + n_draws))
    why = "share that enriches less share that depletes (arXiv 2505.17936), early less late half"
    rotations = ran("rotated weights", n, f"largest net share {np.abs(turned).max():.3f}")
    words = f"net share {early.mean():+.3f} in the early half, {late.mean():+.3f} in the late"
    if half < 2:
        result = Result(value, null=0.0, n=n)
        return conclude(claim, result, words, why, untestable="too few layers"), [rotations]
    test = stats.ttest_ind(early, late, equal_var=False)
    ends = test.confidence_interval(0.95) if np.ptp(own) > 0 else None
    low, high = (value, value) if ends is None else (float(ends.low), float(ends.high))
    result = Result(value, low, high, 0.0, n, p, p)
    return conclude(claim, result, words, why), [control, rotations]
