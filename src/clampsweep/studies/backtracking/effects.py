"""What a set of neurons does at events beyond what it does at controls, against random sets.

The equal logit bias is the control that needs no neuron: so many nats on every word of the onset
lexicon as change its log-probability at events as much as the set does. What it does at controls
follows from the log-probability there, and among other words it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy.optimize import brentq

from clampsweep.statistics import cluster_bootstrap, rank_p, sign_flip
from clampsweep.studies.backtracking.held_areas import Held
from clampsweep.studies.backtracking.sampling import PRED
from clampsweep.studies.backtracking.sets import RANDOM
from clampsweep.studies.backtracking.tables import NONE, OUTPUT, PRED_POS, RAISE
from clampsweep.studies.backtracking.traces import TEST
from clampsweep.tables import Column, Schema

EFFECTS = Schema(
    "backtracking effects",
    {
        "intervention": Column("str", "zero, mean, resample or raise"),
        "scope": Column("str", "pred_pos or output"),
        "set_kind": Column("str", "top or bottom"),
        "k": Column("int", "neurons that are changed"),
        "n": Column("int", "events, each with a control"),
        "n_problems": Column("int", "problems that they come from"),
        "delta_event": Column("float", "mean change of log p of the onset at events, nats"),
        "delta_control": Column("float", "at controls", null=True),
        "estimate": Column(
            "float", "delta_event - delta_control; of raise delta_control; of output delta_event"
        ),
        "low": Column("float", "95 % interval over problems, lower end", null=True),
        "high": Column("float", "upper end", null=True),
        "n_random": Column("int", "random sets of the same size"),
        "random_mean": Column("float", "mean of their estimates", null=True),
        "random_low": Column("float", "2.5th percentile of these", null=True),
        "random_high": Column("float", "97.5th percentile", null=True),
        "p": Column("float", "share of random sets as far from 0", null=True),
        "kl_control": Column(
            "float", "harm: mean KL of the next token at controls, nats", null=True
        ),
        "kl_random": Column("float", "the same of random sets", null=True),
        "kl_rest": Column("float", "mean KL among words not of the lexicon, at events, nats"),
        "nll_rest": Column(
            "float", "of scope output: change of mean NLL of what was said", null=True
        ),
        "nll_random": Column("float", "the same of random sets", null=True),
        "direct_event": Column("float", "delta_event, were it only added at the end", null=True),
        "bias": Column("float", "the equal logit bias, nats", null=True),
        "bias_control": Column(
            "float", "what it does to log p of the onset at controls", null=True
        ),
        "bias_gap": Column("float", "estimate less that of the equal logit bias", null=True),
        "bias_low": Column("float", "95 % interval over problems, lower end", null=True),
        "bias_high": Column("float", "upper end", null=True),
        "bias_p": Column("float", "signs of problems flipped, two-sided", null=True),
    },
    key=("intervention", "scope", "set_kind", "k"),
)


def effects(trials: pd.DataFrame) -> pd.DataFrame:
    """The table `EFFECTS` of a `TRIALS` table."""
    rows = list(_rows(trials))
    return pd.DataFrame(rows, columns=list(EFFECTS.columns))


def _rows(trials: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for scope, own in trials.groupby("scope", sort=False):
        bare = own[own["intervention"] == NONE].set_index(["match_id", "y"])
        tried = own[own["intervention"] != NONE]
        for (name, kind, k), rows in tried.groupby(["intervention", "set_kind", "k"], sort=False):
            if kind == RANDOM:
                continue
            chance = tried[
                (tried["intervention"] == name) & (tried["set_kind"] == RANDOM) & (tried["k"] == k)
            ]
            yield {
                "intervention": name,
                "scope": scope,
                "set_kind": kind,
                "k": k,
                **(_output if scope == OUTPUT else _pred)(rows, chance, bare, str(name)),
            }


def _changes(rows: pd.DataFrame, bare: pd.DataFrame, column: str) -> pd.DataFrame:
    """Change of a column by event: at events (1) and controls (0)."""
    index = pd.MultiIndex.from_frame(rows[["match_id", "y"]])
    change = rows[column].to_numpy() - bare[column].reindex(index).to_numpy()
    return pd.Series(change, index=index).unstack("y")


def _problems(bare: pd.DataFrame, events: pd.Index) -> np.ndarray:
    """Number of the problem of each event."""
    of_event = bare.reset_index().drop_duplicates("match_id").set_index("match_id")["problem_id"]
    return pd.factorize(of_event.reindex(events))[0]


def _interval(values: Float64[np.ndarray, " event"], problems: np.ndarray) -> tuple[float, float]:
    """95 % interval of a mean over events, problems drawn anew."""
    n = int(problems.max(initial=0)) + 1
    if n < 2:
        return float("nan"), float("nan")
    sums = _sums(values, problems)
    sizes = np.bincount(problems, minlength=n).astype(float)[:, None]
    low, high = cluster_bootstrap(sums, sizes)[0]
    return float(low), float(high)


def _sums(values: Float64[np.ndarray, " event"], problems: np.ndarray) -> np.ndarray:
    """Sum over the events of each problem, [problem, 1]; rounded, so that ties are exact."""
    sums: np.ndarray = np.round(np.bincount(problems, values), 9)[:, None]
    return sums


def _pred(
    rows: pd.DataFrame, chance: pd.DataFrame, bare: pd.DataFrame, name: str
) -> dict[str, Any]:
    """Numbers of scope pred_pos: events against controls."""
    change = _changes(rows, bare, "lp_onset")
    events, controls = change[1].to_numpy(), change[0].to_numpy()
    problems = _problems(bare, change.index)
    values = controls if name == RAISE else events - controls
    low, high = _interval(values, problems)
    others = [
        _estimate(_changes(draw, bare, "lp_onset"), name) for _, draw in chance.groupby("draw")
    ]
    estimate = float(values.mean())
    kl = rows[rows["y"] == 0]["kl_next"]
    direct = _changes(rows.assign(lp_onset=rows["lp_direct"]), bare, "lp_onset")[1]
    return {
        "n": len(change),
        "n_problems": int(problems.max(initial=0)) + 1,
        "delta_event": float(events.mean()),
        "delta_control": float(controls.mean()),
        "estimate": estimate,
        "low": low,
        "high": high,
        **_chance(estimate, others),
        "kl_control": float(kl.mean()),
        "kl_random": float(chance[chance["y"] == 0]["kl_next"].mean()) if len(chance) else None,
        "kl_rest": float(rows[rows["y"] == 1]["kl_rest"].mean()),
        "direct_event": None if direct.isna().all() else float(direct.mean()),
        **_bias(bare, change, problems),
    }


def _estimate(change: pd.DataFrame, name: str) -> float:
    values = change[0] if name == RAISE else change[1] - change[0]
    return float(values.mean())


def _output(
    rows: pd.DataFrame, chance: pd.DataFrame, bare: pd.DataFrame, name: str
) -> dict[str, Any]:
    """Numbers of scope output: events alone, and what the rest of the text suffers."""
    change, nll = (_changes(rows, bare, column)[1] for column in ("lp_onset", "nll_rest"))
    problems = _problems(bare, change.index)
    low, high = _interval(change.to_numpy(), problems)
    others = [
        float(_changes(draw, bare, "lp_onset")[1].mean()) for _, draw in chance.groupby("draw")
    ]
    return {
        "n": len(change),
        "n_problems": int(problems.max(initial=0)) + 1,
        "delta_event": float(change.mean()),
        "estimate": float(change.mean()),
        "low": low,
        "high": high,
        **_chance(float(change.mean()), others),
        "kl_rest": float(rows["kl_rest"].mean()),
        "nll_rest": float(nll.mean()),
        "nll_random": float(_changes_of_all(chance, bare)) if len(chance) else None,
    }


def _changes_of_all(chance: pd.DataFrame, bare: pd.DataFrame) -> float:
    """Mean change of `nll_rest` over random sets."""
    means = [_changes(draw, bare, "nll_rest")[1].mean() for _, draw in chance.groupby("draw")]
    return float(np.mean(means))


def _chance(estimate: float, others: list[float]) -> dict[str, Any]:
    """How random sets of the same size do."""
    if not others:
        return {
            "n_random": 0,
            "random_mean": None,
            "random_low": None,
            "random_high": None,
            "p": None,
        }
    low, high = np.percentile(others, [2.5, 97.5])
    return {
        "n_random": len(others),
        "random_mean": float(np.mean(others)),
        "random_low": float(low),
        "random_high": float(high),
        "p": rank_p(abs(estimate), [abs(other) for other in others]),
    }


def onset_logit(trials: pd.DataFrame, seed: int) -> dict[str, Any]:
    """A row of `HELDOUT`: what the onset's log-probability in the unchanged model tells.

    Args:
        trials: A `TRIALS` table.
        seed: Of draws and permuted labels.
    """
    bare = trials[(trials["intervention"] == NONE) & (trials["scope"] == PRED_POS)]
    samples = bare[["match_id", "problem_id", "y"]].assign(split=TEST)
    held = Held(PRED, samples.reset_index(drop=True), seed)
    return held.row("onset logit", bare["lp_onset"].to_numpy())


def biased(lp: Float64[np.ndarray, " sample"], bias: float) -> Float64[np.ndarray, " sample"]:
    """Change of log p of the lexicon, nats, under a bias on all its logits.

    With probability p of the lexicon, p e^b / (p e^b + 1 - p).

    Args:
        lp: Its log-probability without.
        bias: In nats.
    """
    rest = np.log1p(-np.exp(np.minimum(lp, -1e-12)))
    moved: np.ndarray = bias - np.logaddexp(lp + bias, rest)
    return moved


def _bias(bare: pd.DataFrame, change: pd.DataFrame, problems: np.ndarray) -> dict[str, Any]:
    """The equal logit bias and what it does."""
    lp = bare["lp_onset"].unstack("y").reindex(change.index)
    wanted = float(change[1].mean())
    events, controls = lp[1].to_numpy(), lp[0].to_numpy()

    def gap(bias: float) -> float:
        return float(biased(events, bias).mean()) - wanted

    if not gap(-50.0) < 0 < gap(50.0):
        return {}
    bias = float(brentq(gap, -50.0, 50.0))
    at_events, at_controls = biased(events, bias), biased(controls, bias)
    own = (change[1] - change[0]).to_numpy()
    gaps = own - (at_events - at_controls)
    low, high = _interval(gaps, problems)
    return {
        "bias": bias,
        "bias_control": float(at_controls.mean()),
        "bias_gap": float(gaps.mean()),
        "bias_low": low,
        "bias_high": high,
        "bias_p": float(sign_flip(_sums(gaps, problems))[0]),
    }
