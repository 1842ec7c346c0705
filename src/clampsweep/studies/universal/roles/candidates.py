"""Candidates of each role, chosen from tables of weights and activations, and their controls.

Prediction and suppression neurons: kurtosis over the vocabulary of cos(W_U, w_out) above 10, with a
long tail on the side of the tokens that the neuron raises or lowers (Gurnee et al. 2024, section
5.1). The write of a gated neuron turns round with its activation, so the skewness is multiplied by
the sign that its largest activations have. Entropy neurons: of the last two layers, the lowest
variance over the vocabulary among the top decile of norms (section 5.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from clampsweep.studies.universal.roles.matching import matched, plain
from clampsweep.studies.universal.roles.tables import (
    ATTENTION,
    CONTROLS,
    ENTROPY,
    FEATURE,
    PARTITION,
    PREDICTION,
    ROLES,
    SUPPRESSION,
    TRIED,
)

KURTOSIS = 10.0  # of the vocabulary, above which a neuron is one of prediction or suppression

DECILE = 0.1  # largest norms, and lowest variances, of the last two layers

NEURONS = ("layer", "neuron", "w_out_norm", "size", "sign", "vocab_var", "vocab_skew", "vocab_kurt")
"""Columns of `neurons`: one row a neuron; `size` is the root mean square of the post-activation."""


class Chosen(NamedTuple):
    """`ROLES` and `CONTROLS`."""

    roles: pd.DataFrame
    controls: pd.DataFrame


def neurons(
    weights: pd.DataFrame, vocabulary: pd.DataFrame, stats: pd.DataFrame, values: pd.DataFrame
) -> pd.DataFrame:
    """What candidates are chosen by, a row a neuron, columns `NEURONS`.

    Args:
        weights: un_weights: `processing`, `layer`, `neuron`, `w_out_norm`.
        vocabulary: un_vocab: `processing`, `layer`, `neuron`, `vocab_var`, `vocab_skew`,
            `vocab_kurt`; of folded weights it takes all of these.
        stats: un_stats of the post-activations of one domain: `mean`, `variance`.
        values: un_values: `top_sign`, the sign of the mean of the largest 0.1 % in size.
    """
    place = ["layer", "neuron"]
    folded = [one[one["processing"] == "folded"] for one in (weights, vocabulary)]
    found = folded[0][[*place, "w_out_norm"]].merge(
        folded[1][[*place, "vocab_var", "vocab_skew", "vocab_kurt"]], on=place, validate="1:1"
    )
    size = np.sqrt(stats["mean"].astype(float) ** 2 + stats["variance"].astype(float))
    found = found.merge(stats[place].assign(size=size), on=place, validate="1:1")
    signs = values[place].assign(sign=np.where(values["top_sign"] < 0, -1, 1))
    found = found.merge(signs, on=place, validate="1:1")
    return found[list(NEURONS)].sort_values(place, ignore_index=True)


def choose(
    known: pd.DataFrame,
    attention: pd.DataFrame,
    features: pd.DataFrame | None,
    n_candidates: int,
    n_controls: int,
    seed: int,
) -> Chosen:
    """The candidates of each role, and controls of those that are tried.

    Args:
        known: What `neurons` made.
        attention: `ATTENTION_SCORES`; empty where there is no BOS.
        features: un_feature_neurons: `feature`, `rank`, `layer`, `neuron` and a score
            `vr_confirmation`; None if none were looked for.
        n_candidates: Most of a role.
        n_controls: Of a role, of each kind.
        seed: Of the lots.
    """
    signed = known.assign(skew=known["vocab_skew"] * known["sign"])
    heavy = signed[signed["vocab_kurt"] > KURTOSIS]
    late = signed[signed["layer"] >= signed["layer"].max() - 1]
    long = late["w_out_norm"] >= late["w_out_norm"].quantile(1 - DECILE)
    even = late["vocab_var"] <= late["vocab_var"].quantile(DECILE)
    over = f"vocab_kurt above {KURTOSIS:g}, signed skewness "
    bos = attention.merge(signed[["layer", "neuron", "sign"]], on=["layer", "neuron"])
    picked = {
        PREDICTION: _best(heavy[heavy["skew"] > 0], "vocab_kurt", n_candidates, f"{over}above 0"),
        SUPPRESSION: _best(heavy[heavy["skew"] < 0], "vocab_kurt", n_candidates, f"{over}below 0"),
        PARTITION: _best(signed, "vocab_var", n_candidates, "the highest vocab_var"),
        ENTROPY: _best(
            late[long & even], "vocab_var", n_candidates,
            "of the last two layers, top decile of norm, lowest vocab_var", lowest=True,
        ),
        ATTENTION: _best(
            bos, "score", n_candidates, "the strongest effect on scores of attention to BOS"
        ),
    }  # fmt: skip
    roles = [rows.assign(role=role) for role, rows in picked.items()]
    if features is not None:
        roles.append(_features(features, signed, n_candidates))
    table = pd.concat(roles, ignore_index=True)[list(ROLES.columns)]
    special = pd.concat([heavy, *(picked[role] for role in TRIED)])[["layer", "neuron"]]
    free = signed[~_among(signed, special)]
    typical = free[_among(free, late[~long & ~even])]
    uneven = free[~_among(free, late[even])]
    controls = [
        _matched(picked[role], signed, uneven if role == ENTROPY else free, n_controls, role)
        for role in TRIED
    ]
    if len(picked[ENTROPY]):
        controls.append(plain(typical, n_controls, ENTROPY, seed))
    return Chosen(table, pd.concat(controls, ignore_index=True)[list(CONTROLS.columns)])


def _best(
    rows: pd.DataFrame, by: str, number: int, why: str, *, lowest: bool = False
) -> pd.DataFrame:
    """The so many best of some neurons, as rows of `ROLES` without the role."""
    order = rows[by].abs().sort_values(ascending=lowest, kind="stable").index[:number]
    best = rows.loc[order, ["layer", "neuron", "sign"]].reset_index(drop=True)
    score = rows.loc[order, by].to_numpy(float)
    return best.assign(rank=best.index + 1, score=score, measure=by, why=why)


def _features(found: pd.DataFrame, signed: pd.DataFrame, number: int) -> pd.DataFrame:
    """Rows of `ROLES` of neurons that respond to features."""
    best = found[found["rank"] <= number]
    best = best.merge(signed[["layer", "neuron", "sign"]], on=["layer", "neuron"])
    return pd.DataFrame(
        {
            "role": FEATURE + best["feature"].astype(str),
            "rank": best["rank"].astype("int64"),
            "layer": best["layer"],
            "neuron": best["neuron"],
            "score": best["vr_confirmation"].astype(float),
            "measure": "vr_confirmation",
            "sign": best["sign"],
            "why": "it responds to the feature",
        }
    )


def _among(rows: pd.DataFrame, others: pd.DataFrame) -> pd.Series[bool]:
    """Whether each row's neuron is among others."""
    own, known = (pd.MultiIndex.from_frame(one[["layer", "neuron"]]) for one in (rows, others))
    return pd.Series(own.isin(known), index=rows.index, dtype=bool)


def _matched(
    picked: pd.DataFrame, signed: pd.DataFrame, pool: pd.DataFrame, number: int, role: str
) -> pd.DataFrame:
    """Matched controls of a role's candidates."""
    sizes = signed[["layer", "neuron", "w_out_norm", "size"]]
    return matched(picked.merge(sizes, on=["layer", "neuron"]), pool, number, role)
