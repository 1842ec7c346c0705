"""What interventions say of the roles of neurons: candidates against matched controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from clampsweep.ledger import MATCHED_NEURONS, Control, ran, skipped
from clampsweep.names import Neuron
from clampsweep.statistics import benjamini_hochberg, rank_interval, rank_p
from clampsweep.studies.universal.claims.conclusions import Concluded, Conclusion
from clampsweep.studies.universal.roles import tables
from clampsweep.studies.universal.roles.effects import (
    Comparison,
    ablated,
    by_neuron,
    compare,
    kept,
    swung,
    values_of,
)
from clampsweep.verdicts import SUPPORTED, Claim, Result, conclude
from clampsweep.words import counted

RAISE = "prediction neurons raise their tokens"
LOWER = "suppression neurons lower their tokens"
MOVE_ENTROPY = "entropy neurons move entropy more"
MOVE_SCALE = "entropy neurons move the norm's scale more"
IN_USE = "entropy neurons in use move entropy more"
ATTEND = "attention neurons move attention to BOS more"
KEEP_RANKS = "entropy neurons keep ranks"
KEEP_LOSS = "entropy neurons in use keep the loss"

RANK_MARGIN = 0.01  # of the mean reciprocal rank, as good as nothing
LOSS_MARGIN = 0.01  # nats, the same

PLAIN_NEURONS = "plain neurons of the last two layers"

_WHY = {
    tables.MATCHED: (MATCHED_NEURONS, "of the same layers, nearest in norm of w_out and in size"),
    tables.PLAIN: (PLAIN_NEURONS, "by lot; not of the largest norms, nor the lowest vocab_var"),
}


class Test(NamedTuple):
    """Candidates of a role against a kind of controls.

    Attributes:
        name: Of the claim.
        role: The role.
        kind: Kind of controls.
        unit: Of the values.
        values: kind, layer, neuron, change: larger is what is claimed.
        each: Whether each candidate is judged by itself too.
        how: What was done.
    """

    name: str
    role: str
    kind: str
    unit: str
    values: pd.DataFrame
    each: bool
    how: str


def claims(rows: pd.DataFrame, begins: bool) -> Concluded:
    """Verdicts on the roles, each with its controls.

    Args:
        rows: `INTERVENTIONS` of all roles.
        begins: Whether sequences begin with BOS.
    """
    tests = tests_of(rows)
    compared = [
        compare(values_of(one.values, tables.CANDIDATE), values_of(one.values, one.kind))
        for one in tests
    ]
    known = [at for at, one in enumerate(compared) if np.isfinite(one.p)]
    q = dict(zip(known, benjamini_hochberg([compared[at].p for at in known]), strict=True))
    found = [
        _together(test, one, q.get(at), begins)
        for at, (test, one) in enumerate(zip(tests, compared, strict=True))
    ]
    for test in tests:
        found += _each(test)
    return [*found, *_keeping(rows[rows["role"] == tables.ENTROPY])]


def tests_of(rows: pd.DataFrame) -> list[Test]:
    """What is held against controls."""
    parts = {role: rows[rows["role"] == role] for role in tables.TRIED}
    raised = by_neuron(ablated(parts[tables.PREDICTION], tables.OWN_TOKENS))
    lowered = by_neuron(ablated(parts[tables.SUPPRESSION], tables.OWN_TOKENS))
    own = parts[tables.ENTROPY]
    moved, scaled = (_size(swung(own, name)) for name in (tables.ENTROPY_OF, tables.SCALE))
    used = _size(ablated(own, tables.ENTROPY_OF))
    looked = _size(ablated(parts[tables.ATTENTION], tables.TO_BOS))
    top = "held at its mean where it is largest in size (0.5 % of positions)"
    ends = "between the lowest and the highest value that it is held at"
    matched, plain = tables.MATCHED, tables.PLAIN
    return [
        Test(RAISE, tables.PREDICTION, matched, "nats",
             raised.assign(change=-raised["change"]), True, top),
        Test(LOWER, tables.SUPPRESSION, matched, "nats", lowered, True, top),
        Test(MOVE_ENTROPY, tables.ENTROPY, matched, "nats", moved, True, ends),
        Test(MOVE_ENTROPY, tables.ENTROPY, plain, "nats", moved, False, ends),
        Test(MOVE_SCALE, tables.ENTROPY, matched, "log ratio", scaled, True, ends),
        Test(IN_USE, tables.ENTROPY, matched, "nats", used, False, "held at its mean everywhere"),
        Test(ATTEND, tables.ATTENTION, matched, "share of attention", looked, True, top),
    ]  # fmt: skip


def _size(changes: pd.DataFrame) -> pd.DataFrame:
    """Sizes of the neurons' mean changes."""
    found = by_neuron(changes)
    return found.assign(change=found["change"].abs())


def _controls(test: Test) -> list[Control]:
    name, why = _WHY[test.kind]
    n = int((test.values["kind"] == test.kind).sum())
    return [ran(name, n, why) if n else skipped(name, "there is no candidate to be like")]


def _lacks(test: Test, begins: bool) -> str:
    """Why a role cannot be tested; empty if it can."""
    n, n_others = ((test.values["kind"] == kind).sum() for kind in (tables.CANDIDATE, test.kind))
    if test.role == tables.ATTENTION and not begins:
        return "sequences do not begin with BOS (prepend_bos: false)"
    if not n:
        return "no neuron is a candidate"
    return "fewer than two candidates or controls" if min(n, n_others) < 2 else ""


def _together(test: Test, found: Comparison, q: float | None, begins: bool) -> Conclusion:
    """The verdict on a role's candidates together."""
    subject = counted(found.n, "candidate")
    claim = Claim("universal", test.name, subject, "greater", test.unit, by=_WHY[test.kind][0])
    result = Result(*found[:3], 0.0, found.n, found.p, q)
    lacks = _lacks(test, begins)
    row = conclude(claim, result, "-", "-", least_q=found.least_p, untestable=lacks)
    sure = "" if row["verdict"] == SUPPORTED else ", not surely more"
    row["words"] = lacks or (
        f"{test.role} neurons {found.estimate:+.2g} {test.unit} beyond their controls{sure}"
    )
    row["why"] = f"mean of candidates less mean of controls, each {test.how}; labels dealt anew"
    return row, _controls(test)


def _each(test: Test) -> Concluded:
    """The verdict on each candidate."""
    own = test.values[test.values["kind"] == tables.CANDIDATE]
    others = values_of(test.values, test.kind)
    if not test.each or not len(own) or not len(others):
        return []
    p = [rank_p(value, others.tolist()) for value in own["change"]]
    null = float(np.median(others))
    found: Concluded = []
    for row, one, q in zip(own.to_dict("records"), p, benjamini_hochberg(p), strict=True):
        value, name = float(row["change"]), str(Neuron(int(row["layer"]), int(row["neuron"])))
        bounds = rank_interval(value, others.tolist())
        claim = Claim("universal", test.name, name, "greater", test.unit, by=_WHY[test.kind][0])
        result = Result(value, *bounds, null, len(others), one, float(q))
        verdict = conclude(
            claim, result, f"{name}: {value:+.2g} {test.unit}, controls {null:+.2g} (median)",
            f"{test.how}; rank among {counted(len(others), 'control')}, corrected for "
            f"{counted(len(own), 'candidate')}", least_q=1 / (1 + len(others)),
        )  # fmt: skip
        found.append((verdict, _controls(test)))
    return found


def _keeping(rows: pd.DataFrame) -> Concluded:
    """Whether entropy neurons leave ranks and loss as they are."""
    tests: Sequence[tuple[str, pd.DataFrame, float, str, str]] = [
        (KEEP_RANKS, swung(rows, tables.RANK), RANK_MARGIN, "reciprocal rank",
         "between the lowest and the highest value that they are held at"),
        (KEEP_LOSS, ablated(rows, tables.LOSS), LOSS_MARGIN, "nats",
         "held at their means everywhere"),
    ]  # fmt: skip
    means = [kept(changes, tables.CANDIDATE, margin) for _, changes, margin, _, _ in tests]
    known = [at for at, one in enumerate(means) if np.isfinite(one.p)]
    q = dict(zip(known, benjamini_hochberg([means[at].p for at in known]), strict=True))
    n = rows.loc[rows["kind"] == tables.CANDIDATE, ["layer", "neuron"]].drop_duplicates()
    found: Concluded = []
    for at, ((name, changes, margin, unit, how), one) in enumerate(zip(tests, means, strict=True)):
        claim = Claim(
            "universal", name, counted(len(n), "candidate"), "equivalent", unit, margin=margin
        )
        lacks = "" if one.n > 1 else "no neuron is a candidate, or there is but one block"
        result = Result(*one[:3], 0.0, one.n, one.p, q.get(at))
        same = values_of(by_neuron(changes), tables.MATCHED)
        beside = f"; matched neurons {np.abs(same).max():.2g} at most" if len(same) else ""
        row = conclude(
            claim, result, lacks or f"the most by {one.estimate:+.2g} {unit}{beside}",
            f"the candidate that changes it most, over blocks, {how}; as good as nothing: "
            f"{margin:g}", untestable=lacks,
        )  # fmt: skip
        own = ran(MATCHED_NEURONS, len(same), _WHY[tables.MATCHED][1]) if len(same) else skipped(
            MATCHED_NEURONS, "there is no candidate to be like"
        )  # fmt: skip
        found.append((row, [own]))
    return found
