"""Claims on what changing the top neurons does to the onset, each with its damage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from clampsweep.ledger import LOGIT_BIASES, MATCHED_NEURONS, Control, ran, skipped
from clampsweep.studies.backtracking.contrast import Contrast, lacking, row_of
from clampsweep.studies.backtracking.tables import MEAN, PRED_POS, RAISE, RESAMPLE, ZERO
from clampsweep.studies.backtracking.tested import STUDY, Tested
from clampsweep.verdicts import Claim, Result

_SIDES = {ZERO: "less", MEAN: "less", RESAMPLE: "less", RAISE: "greater"}


def causal_claims(name: str, one: Contrast) -> list[Tested]:
    """Held at zero, mean or another's value they lower the onset; raised, they bring it about.

    Args:
        name: The contrast.
        one: Its tables.
    """
    rows = []
    for intervention, side in _SIDES.items():
        row = row_of(
            one.effects, intervention=intervention, scope=PRED_POS, set_kind="top", k=one.top
        )
        claim = (
            "raising neurons brings the onset"
            if side == "greater"
            else ("holding neurons lowers the onset")
        )
        rows.append(
            Tested(
                Claim(STUDY, claim, name, side, "nats", intervention),
                Result() if row is None else _effect(row),
                {"supported": "it does", "contradicted": "the opposite"},
                "no ranking, no set" if row is None else _harm(row),
                [_matched(one, row)],
                untestable=lacking(one, row),
                family="causal",
            )
        )
        if side == "less":
            rows.append(_beyond_bias(name, one, intervention, row))
    return rows


def _effect(row: Mapping[str, Any]) -> Result:
    null = row["random_mean"]
    return Result(row["estimate"], row["low"], row["high"], null, int(row["n"]), row["p"])


def _harm(row: Mapping[str, Any]) -> str:
    """What an effect rests on, and the damage beside it."""
    return (
        f"change of log p of the onset at {row['n']} held-out events and as many controls, against "
        f"{row['n_random']} matched random sets (null: their mean); harm: KL of the next token at "
        f"controls {row['kl_control']:.2g} nats, of random sets {row['kl_random']:.2g}"
    )


def _matched(one: Contrast, row: Mapping[str, Any] | None) -> Control:
    if row is None or not row["n_random"]:
        return skipped(MATCHED_NEURONS, lacking(one, row) or "no random set was tried")
    return ran(MATCHED_NEURONS, int(row["n_random"]), "sets of the same layers and output size")


def _beyond_bias(
    name: str, one: Contrast, intervention: str, row: Mapping[str, Any] | None
) -> Tested:
    """What a set does at events beyond controls is another thing than an equal logit bias does."""
    lacks = lacking(one, row)
    known = row is not None and not pd.isna(row["bias_gap"])
    if not lacks and not known:
        lacks = "no bias changes the onset as much"
    result = Result()
    control = skipped(LOGIT_BIASES, lacks or "none")
    if row is not None and known:
        result = Result(
            row["bias_gap"], row["bias_low"], row["bias_high"], 0.0, int(row["n"]), row["bias_p"]
        )
        said = f"{row['bias']:+.3f} nats on the lexicon; KL among other words 0, here "
        control = ran(LOGIT_BIASES, 1, said + f"{row['kl_rest']:.2g}")
    return Tested(
        Claim(
            STUDY, "neurons do more than an equal logit bias", name, "less", "nats", intervention
        ),
        result,
        {"supported": "they do", "contradicted": "they do less"},
        "change at events less that at controls, less the same of the bias",
        [control],
        untestable=lacks,
        family="bias",
    )
