"""What a set of neurons does at events beyond what it does at controls, against random sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.statistics import rank_p
from clampsweep.studies.backtracking.held_areas import HELDOUT, Held
from clampsweep.studies.backtracking.logit_bias import equal_bias, interval, problems
from clampsweep.studies.backtracking.pools import EVENT, OTHER
from clampsweep.studies.backtracking.position_kinds import PRED
from clampsweep.studies.backtracking.sets import RANDOM
from clampsweep.studies.backtracking.splits import TEST
from clampsweep.studies.backtracking.tables import NONE, OUTPUT, PRED_POS, RAISE
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
        "kl_rest": Column(
            "float",
            "mean KL among words not of the lexicon, at events, nats; of scope output of the next "
            "token, where the one that was said is none of these",
        ),
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


def _pred(
    rows: pd.DataFrame, chance: pd.DataFrame, bare: pd.DataFrame, name: str
) -> dict[str, Any]:
    """Numbers of scope pred_pos: events against controls."""
    change = _changes(rows, bare, "lp_onset")
    events, controls = change[1].to_numpy(), change[0].to_numpy()
    of = problems(bare, change.index)
    values = controls if name == RAISE else events - controls
    low, high = interval(values, of)
    others = [
        _estimate(_changes(draw, bare, "lp_onset"), name) for _, draw in chance.groupby("draw")
    ]
    estimate = float(values.mean())
    kl = rows[rows["y"] == 0]["kl_next"]
    direct = _changes(rows.assign(lp_onset=rows["lp_direct"]), bare, "lp_onset")[1]
    return {
        "n": len(change),
        "n_problems": int(of.max(initial=0)) + 1,
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
        **equal_bias(bare, change, of),
    }


def _estimate(change: pd.DataFrame, name: str) -> float:
    values = change[0] if name == RAISE else change[1] - change[0]
    return float(values.mean())


def _output(
    rows: pd.DataFrame, chance: pd.DataFrame, bare: pd.DataFrame, name: str
) -> dict[str, Any]:
    """Numbers of scope output: events alone, and what the rest of the text suffers."""
    change, nll = (_changes(rows, bare, column)[1] for column in ("lp_onset", "nll_rest"))
    of = problems(bare, change.index)
    low, high = interval(change.to_numpy(), of)
    others = [
        float(_changes(draw, bare, "lp_onset")[1].mean()) for _, draw in chance.groupby("draw")
    ]
    return {
        "n": len(change),
        "n_problems": int(of.max(initial=0)) + 1,
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


def onset_logit(trials: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A row of `HELDOUT`: what the onset's log-probability in the unchanged model tells.

    Without trials no row.

    Args:
        trials: A `TRIALS` table.
        seed: Of draws and permuted labels.
    """
    bare = trials[(trials["intervention"] == NONE) & (trials["scope"] == PRED_POS)]
    if bare.empty:
        return pd.DataFrame(columns=list(HELDOUT.columns))
    samples = bare[["match_id", "problem_id", "y"]].assign(split=TEST)
    samples["control_kind"] = np.where(samples["y"] == 1, EVENT, OTHER)
    held = Held(PRED, samples.reset_index(drop=True), seed)
    row = held.row("onset logit", bare["lp_onset"].to_numpy(float))
    return pd.DataFrame([row]).astype({"layer": "Int64"})
