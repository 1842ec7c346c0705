"""Made-up tables of the figures, with something to find in them and without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

KINDS = ("pre", "pred", "onset", "window")
SIZES = (1, 5, 20, 100)
METHODS = (
    *((name, k) for name in ("top neurons", "sparse probe") for k in SIZES),
    ("confirmed neurons", 34), ("permuted labels", 20), ("residual direction", 0),
    ("residual probe", 0), ("next token", 0), ("token before", 0), ("position", 0),
    ("top neurons against hard_unmarked", 20), ("top neurons against hard_spurious", 20),
)  # fmt: skip


def neurons(
    n_layers: int = 4, d_mlp: int = 60, strength: float = 1.5, events: int = 60
) -> pd.DataFrame:
    """`NEURONS`: one in 20 of the later half of the layers tells, more weakly at `pre`.

    Args:
        n_layers: Layers.
        d_mlp: Neurons of each.
        strength: Hedges' g of those that tell, about.
        events: Of the split discover; four controls of each.
    """
    return pd.concat(
        [
            _kind(kind, n_layers, d_mlp, share * strength, events)
            for kind, share in zip(KINDS, (0.6, 1.0, 2.0, 0.7), strict=True)
        ],
        ignore_index=True,
    )


def _kind(kind: str, n_layers: int, d_mlp: int, strength: float, events: int) -> pd.DataFrame:
    rng = np.random.default_rng(len(kind) + 7 * events)
    n, controls = n_layers * d_mlp, 4 * events
    layer, neuron = np.divmod(np.arange(n), d_mlp)
    tells = (layer >= n_layers // 2) & (neuron % 20 == 7)
    true = np.where(tells, strength * rng.choice([-1, 1], n) * rng.gamma(4, 0.25, n), 0)
    error = np.sqrt(1 / events + 1 / controls)
    g = true + rng.standard_t(30, n) * error
    z = g / error
    p = np.maximum(2 * norm.sf(np.abs(z)), 1e-300)
    order = np.argsort(-np.abs(z), kind="stable")
    q = np.empty(n)
    q[order] = np.minimum.accumulate((p[order] * n / np.arange(1, n + 1))[::-1])[::-1]
    rank = np.empty(n, int)
    rank[order] = np.arange(1, n + 1)
    sign = np.where(z >= 0, 1, -1)
    held = [norm.cdf(sign * true / np.sqrt(2)) + rng.normal(0, 0.05, n) for _ in range(2)]
    sd = rng.gamma(3, 0.1, n) + 0.05
    mean0 = rng.normal(0, 0.1, n)
    return pd.DataFrame(
        {
            "position_kind": kind, "layer": layer, "neuron": neuron, "n1": events, "n0": controls,
            "mean1": mean0 + g * sd, "mean0": mean0, "sd1": sd, "sd0": sd, "size0": sd, "g": g,
            "g_low": g - 1.96 * error, "g_high": g + 1.96 * error,
            "auc": norm.cdf(g / np.sqrt(2)), "z": z, "p": p, "q": np.minimum(q, 1),
            "p_max": np.minimum(1, np.maximum(n * p, 0.005)), "sign": sign, "rank": rank,
            "auc_select": held[0].clip(0, 1), "auc_test": held[1].clip(0, 1),
        }
    )  # fmt: skip


def heldout(strength: float = 1.0, hard: bool = True) -> pd.DataFrame:
    """`HELDOUT`: the next token tells everything at `onset`, and half of what neurons do before.

    Args:
        strength: 0 where neurons tell nothing.
        hard: Whether there are hard controls.
    """
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        full = {"pre": 0.18, "pred": 0.3, "onset": 0.48, "window": 0.35}[kind] * strength
        for method, k in METHODS:
            if "hard" in method and not hard:
                continue
            area = 0.5 + full * (0.6 if "hard" in method else 0.75 if k == 1 else 1)
            if method == "permuted labels":
                area = 0.51
            if method in ("token before", "position"):
                area = 0.56
            if method == "next token":
                area = 0.985 if kind in ("onset", "window") else 0.98
            area = float(np.clip(area + rng.normal(0, 0.01), 0, 1))
            rows.append(_area(kind, method, k, area))
        rows.append({**_area(kind, "top neurons less next token", 20, -0.2), "null": 0.0})
    rows.append(_area("pred", "onset logit", 0, 0.5 + 0.35 * strength))
    return pd.DataFrame(rows)


def _area(kind: str, method: str, k: int, area: float) -> dict[str, Any]:
    return {
        "position_kind": kind, "method": method, "k": k, "n1": 48, "n0": 190, "n_problems": 40,
        "estimate": area, "low": max(0.0, area - 0.07), "high": min(1.0, area + 0.06), "null": 0.5,
        "p": 0.001, "layer": 12 if "residual" in method else None,
    }  # fmt: skip


def effects(strength: float = 1.0, sizes: Sequence[int] = SIZES) -> pd.DataFrame:
    """`EFFECTS`: the more neurons, the more; raising them does the opposite.

    Args:
        strength: 0 where neurons do no more than random ones.
        sizes: Of sets.
    """
    rng = np.random.default_rng(5)
    rows: list[dict[str, Any]] = []
    for name, sign in {"zero": -0.7, "mean": -1.0, "resample": -0.8, "raise": 1.2}.items():
        for kind in ("top", "bottom"):
            for k in sizes:
                wide = 0.02 * np.sqrt(k)
                size = strength * sign * 0.25 * np.log1p(k) * (kind == "top")
                few = name in ("resample", "raise") and k != 20
                rows.append(_effect(name, kind, k, size + rng.normal(0, wide / 3), wide, few, rng))
    rows.append(rows[0] | {"scope": "output", "kl_control": None, "estimate": 99.0})
    return pd.DataFrame(rows)


def _effect(
    name: str, kind: str, k: int, size: float, wide: float, few: bool, rng: np.random.Generator
) -> dict[str, Any]:
    harm = 0.0004 * k ** (1.3 if kind == "top" else 0.9) * rng.lognormal(0, 0.2)
    return {
        "intervention": name, "scope": "pred_pos", "set_kind": kind, "k": k, "n": 48,
        "n_problems": 40, "delta_event": size * 1.2, "delta_control": size * 0.2,
        "estimate": size, "low": size - 0.08, "high": size + 0.09,
        "n_random": 0 if few else 100 if k == 20 else 20,
        "random_mean": None if few else 0.0, "random_low": None if few else -wide,
        "random_high": None if few else wide, "p": None if few else 0.01 if size < -wide else 0.4,
        "kl_control": harm, "kl_random": None if few else harm * 0.6, "kl_rest": harm / 2,
        "nll_rest": None, "nll_random": None, "direct_event": None, "bias": size,
        "bias_control": size * 1.1, "bias_gap": size * 0.1, "bias_low": -0.1, "bias_high": 0.1,
        "bias_p": 0.3,
    }  # fmt: skip


def around(table: pd.DataFrame, n_events: int = 24, top: int = 5, seed: int = 0) -> pd.DataFrame:
    """`AROUND`: the top neurons at `pred` tell events more and more up to the onset.

    Args:
        table: `NEURONS`.
        n_events: Each with four controls; two events a problem.
        top: Neurons that are followed.
        seed: Of the values.
    """
    rng = np.random.default_rng(seed)
    first = table[table["position_kind"] == "pred"].nsmallest(top, "rank")
    rows = []
    for event in range(n_events):
        for place in range(5):
            for offset in range(-15, 6):
                near = max(0.0, 1 - abs(offset + 1) / 14) * (place == 0)
                for one in first.to_dict("records"):
                    shift = one["mean1"] - one["mean0"]
                    value = one["mean0"] + near * shift + rng.normal(0, one["sd0"])
                    rows.append(
                        (
                            f"t{event}:{place}",
                            f"t{event}:0",
                            f"p{event // 2}",
                            int(place == 0),
                            offset,
                            one["layer"],
                            one["neuron"],
                            value,
                        )
                    )
    names = ["sample_id", "match_id", "problem_id", "y", "offset", "layer", "neuron", "value"]
    return pd.DataFrame(rows, columns=names)


def rates(sources: Sequence[str] = ("chain", "written")) -> pd.DataFrame:
    """`RATES`: of written traces nobody knows whether they ran out of tokens.

    Args:
        sources: Names.
    """
    measures = {"correct": 0.3, "thinking closed": 0.5, "out of tokens": 0.5, "backtracking": 0.2,
                "correct if backtracking": 0.4}  # fmt: skip
    rows = []
    for at, source in enumerate(sources):
        groups = [("all", "all", 120)] + [("level", str(level), 24) for level in range(1, 6)]
        groups += [("type", name, 40) for name in ("algebra", "counting & probability")]
        for by, group, n in groups:
            for measure, share in measures.items():
                known = 0 if source == "written" and measure == "out of tokens" else n
                if measure == "correct if backtracking":
                    known = n // 5
                k = round(known * min(1, share * (1 + at)))
                rows.append(_rate(source, by, group, measure, k, known))
    return pd.DataFrame(rows)


def _rate(source: str, by: str, group: str, measure: str, k: int, n: int) -> dict[str, Any]:
    from clampsweep.statistics import wilson

    ends = wilson(k, n) if n else (None, None)
    return {"source": source, "by": by, "group": group, "measure": measure, "k": k, "n": n,
            "share": k / n if n else None, "low": ends[0], "high": ends[1]}  # fmt: skip


def paired() -> pd.DataFrame:
    """`PAIRED`: fewer events with the top neurons at zero; no text's answer is known."""
    rows = []
    cases = {"any event": ("share", 0.6, -0.25), "events": ("per 1,000 tokens", 4.1, -2.2),
             "correct": ("share", 0.0, 0.0), "length": ("tokens", 412.0, -35.0),
             "rep_4": ("share", 0.21, 0.02), "loop_coverage": ("share", 0.06, 0.01),
             "nll": ("nats", 0.92, 0.015)}  # fmt: skip
    for condition, share in (("top", 1.0), ("random", 0.1)):
        for measure, (unit, before, change) in cases.items():
            known, gap = measure != "correct", change * share
            wide = abs(change) * 0.4
            rows.append(
                {"condition": condition, "measure": measure, "unit": unit, "before": before,
                 "after": before + gap, "difference": gap, "low": gap - wide if known else None,
                 "high": gap + wide if known else None, "gained": None, "lost": None,
                 "n": 160 if known else 0, "n_problems": 20 if known else 0,
                 "p": 0.004 if known else None}
            )  # fmt: skip
    return pd.DataFrame(rows)


def none(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the same columns and no row."""
    return table[:0]
