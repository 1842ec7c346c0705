"""A sweep against published figures: which of them hold, which differ, which it cannot test.

The figures are data, such as workflow/data/bcr/bcr_gpt2.yaml. A difference is a finding, no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clampsweep.strict_yaml import read_yaml
from clampsweep.tables import Column, Schema

VERIFICATION = Schema(
    "verification",
    {
        "fact": Column("str", "what was published, such as improvement rate at +25"),
        "expected": Column("str", "the published figure"),
        "found": Column("str", "the sweep's figure; for NOT_TESTED why it has none"),
        "status": Column("str", "PASS, DIFFERS, NOT_TESTED, or SHOWN (not meant to be compared)"),
    },
    key=("fact", "expected"),
)

PASS, DIFFERS, NOT_TESTED, SHOWN = "PASS", "DIFFERS", "NOT_TESTED", "SHOWN"

_COUNTS = ("n_rescued", "n_collapsed_baseline", "n_harmed", "n_fine_baseline")

Row = dict[str, str]

Counts = Mapping[float, tuple[int, ...]]


@dataclass(frozen=True)
class Reference:
    """Published figures of one neuron's sweep, with one text per prompt and clamp.

    Attributes:
        source: Where the figures are published.
        model: The model, in words.
        neuron: The target, such as `L11N373`.
        operation: What was done to it.
        scope: At which positions.
        detector: The collapse detector that counted.
        n_prompts: Number of prompts.
        n_texts: Number of texts, baselines included.
        n_recovered: Number of collapsed baselines that at least one clamp rescues.
        collapsed: Every prompt whose baseline is collapsed, with the clamps that rescue it.
        by_clamp: Clamp value to counts: `rescued`, `harmed`, `harmed_more_than` (texts),
            `rate_by_core` (share in 0..1, shown but not tested). These are all its clamps.
    """

    source: str
    model: str
    neuron: str
    operation: str
    scope: str
    detector: str
    n_prompts: int
    n_texts: int
    n_recovered: int
    collapsed: Mapping[str, Sequence[float]]
    by_clamp: Mapping[float, Mapping[str, float]]


def read_reference(path: Path | str) -> Reference:
    """The figures in a file that `studies.bcr.config` has checked.

    Raises:
        UserError: The file cannot be read.
    """
    return Reference(**read_yaml(path))


def verify(recovery: pd.DataFrame, rates: pd.DataFrame, reference: Reference) -> pd.DataFrame:
    """A row per figure (`VERIFICATION`): expected, found, and whether they agree.

    Clamps that the reference does not name are left out of every count.

    Args:
        recovery: A `RECOVERY` table.
        rates: The `RATES` table of the same sweep.
        reference: The published figures.
    """
    rows = _matching(recovery, reference)
    counts = _counts(rates, reference)
    facts = [
        *_sizes(rows, reference),
        *_collapsed(rows, reference),
        *_improving(rows, reference),
        *_rescued(rows, counts, reference),
        *_harmed(rows, counts, reference),
        *_by_core(rows, counts, reference),
    ]
    return pd.DataFrame(facts, columns=list(VERIFICATION.columns), dtype="str")


def lines(verification: pd.DataFrame) -> list[str]:
    """How many figures hold, differ and were not tested; then a line for each.

    Args:
        verification: A `VERIFICATION` table.
    """
    counts = verification["status"].value_counts()
    passed, differs, untested = (int(counts.get(name, 0)) for name in (PASS, DIFFERS, NOT_TESTED))
    rows = verification[list(VERIFICATION.columns)].itertuples(index=False, name=None)
    head = f"{passed + differs + untested} facts: {passed} PASS, {differs} DIFFERS"
    return [f"{head}, {untested} not tested", *(_line(*row) for row in rows)]


def _line(fact: str, expected: str, found: str, status: str) -> str:
    words = {NOT_TESTED: ("expected", "but"), SHOWN: ("published", "found")}
    one, other = words.get(status, ("expected", "found"))
    return f"{status}  {fact}: {one} {expected}, {other} {found}"


def _matching(table: pd.DataFrame, reference: Reference) -> pd.DataFrame:
    """Rows of the reference's detector, target, operation, scope and clamps."""
    for column, name in (
        ("detector", reference.detector),
        ("target", reference.neuron),
        ("operation", reference.operation),
        ("scope", reference.scope),
    ):
        table = table[table[column] == name]
    return table[table["value"].isin(list(reference.by_clamp))]


def _counts(rates: pd.DataFrame, reference: Reference) -> Counts:
    """By clamp value the numbers of `_COUNTS`; 0 where the sweep has no such clamp."""
    table = _matching(rates, reference).set_index("value")[list(_COUNTS)]
    table = table.reindex(list(reference.by_clamp), fill_value=0)
    numbers = table.itertuples(name=None)
    return {value: tuple(map(int, counts)) for value, *counts in numbers}


def _judged(fact: str, expected: str, found: str, lacking: str, holds: bool | None = None) -> Row:
    """The row of a fact; it holds if what is found reads as expected, unless `holds` says."""
    agrees = found == expected if holds is None else holds
    status = NOT_TESTED if lacking else PASS if agrees else DIFFERS
    return {"fact": fact, "expected": expected, "found": lacking or found, "status": status}


def _lacking(
    rows: pd.DataFrame,
    reference: Reference,
    clamps: Iterable[float] = (),
    prompts: Iterable[str] = (),
    n_prompts: int | None = None,
) -> str:
    """Why the sweep cannot test a fact about these clamps and prompts; empty if it can."""
    if rows.empty:
        where = f"{reference.neuron}, {reference.operation}, scope {reference.scope}"
        return f"the sweep has no text for {where} and the clamps of the reference"
    if rows.duplicated(["prompt_id", "value"]).any():
        return "the sweep has several texts per prompt and clamp, the reference has one"
    if absent := set(clamps) - set(rows["value"]):
        return f"not in the sweep: clamps {_clamps(absent)}"
    if unknown := sorted(set(prompts) - set(rows["prompt_id"])):
        others = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        return f"not in the sweep: prompt {unknown[0]}{others}"
    found = rows["prompt_id"].nunique()
    return "" if n_prompts in (None, found) else f"the sweep has {found} prompts, not {n_prompts}"


def _sizes(rows: pd.DataFrame, reference: Reference) -> Iterator[Row]:
    n_prompts = rows["prompt_id"].nunique()
    lacking = _lacking(rows, reference)
    yield _judged("number of prompts", f"{reference.n_prompts:,}", f"{n_prompts:,}", lacking)
    lacking = _lacking(rows, reference, reference.by_clamp)
    n_texts = len(rows) + n_prompts
    yield _judged("number of texts", f"{reference.n_texts:,}", f"{n_texts:,}", lacking)


def _collapsed(rows: pd.DataFrame, reference: Reference) -> Iterator[Row]:
    known = reference.collapsed
    collapsed = rows[rows["baseline_collapsed"]].groupby("prompt_id")
    recovered = collapsed["intervention_improves_baseline"].any()
    others = [f"with {name}" for name in sorted(set(recovered.index) - set(known))]
    yield _judged(
        "number of collapsed baselines",
        f"{len(known)}",
        ", ".join([f"{len(recovered)}", *others]),
        _lacking(rows, reference, (), known, reference.n_prompts),
    )
    yield _judged(
        "recovered at some clamp",
        f"{reference.n_recovered} of {len(known)}",
        f"{int(recovered.sum())} of {len(recovered)}",
        _lacking(rows, reference, reference.by_clamp, known),
    )


def _improving(rows: pd.DataFrame, reference: Reference) -> Iterator[Row]:
    for prompt_id, clamps in reference.collapsed.items():
        own = rows[rows["prompt_id"] == prompt_id]
        improved = own.loc[own["intervention_improves_baseline"], "value"]
        found = _clamps(improved) if own["baseline_collapsed"].any() else "a fine baseline"
        lacking = _lacking(rows, reference, (), [prompt_id])
        lacking = lacking or _lacking(own, reference, reference.by_clamp)
        yield _judged(f"clamps that improve {prompt_id}", _clamps(clamps), found, lacking)


def _rescued(rows: pd.DataFrame, counts: Counts, reference: Reference) -> Iterator[Row]:
    for value, published in reference.by_clamp.items():
        n_rescued, n_collapsed, *_ = counts[value]
        yield _judged(
            f"improvement rate at {_clamps([value])}",
            _rate(published["rescued"], len(reference.collapsed)),
            _rate(n_rescued, n_collapsed),
            _lacking(rows, reference, [value], reference.collapsed),
        )


def _harmed(rows: pd.DataFrame, counts: Counts, reference: Reference) -> Iterator[Row]:
    n_fine = reference.n_prompts - len(reference.collapsed)
    for value, published in reference.by_clamp.items():
        *_, n_harmed, n_fine_found = counts[value]
        fact, found = f"harmed at {_clamps([value])}", f"{n_harmed} of {n_fine_found}"
        lacking = _lacking(rows, reference, [value], reference.collapsed, reference.n_prompts)
        if "harmed" in published:
            yield _judged(fact, f"{published['harmed']} of {n_fine}", found, lacking)
        if "harmed_more_than" in published:
            bound = published["harmed_more_than"]
            expected = f"more than {bound} of {n_fine}"
            yield _judged(fact, expected, found, lacking, holds=n_harmed > bound)


def _by_core(rows: pd.DataFrame, counts: Counts, reference: Reference) -> Iterator[Row]:
    """Claims counted by core, the first part of a prompt's name, beside the rate by prompt."""
    for value, published in reference.by_clamp.items():
        if "rate_by_core" not in published:
            continue
        own = rows[(rows["value"] == value) & rows["baseline_collapsed"]]
        cores = own["prompt_id"].str.split("/").str[0]
        rescued = own["intervention_improves_baseline"].groupby(cores).any()
        n_rescued, n_collapsed, *_ = counts[value]
        row = _judged(
            f"improvement rate by core at {_clamps([value])}",
            f"{published['rate_by_core']:.3f}",
            f"{_rate(rescued.sum(), len(rescued))}; by prompt {_rate(n_rescued, n_collapsed)}",
            _lacking(rows, reference, [value], reference.collapsed),
        )
        yield row if row["status"] == NOT_TESTED else {**row, "status": SHOWN}


def _rate(part: float, whole: float) -> str:
    return f"{part / whole:.3f} ({part:g}/{whole:g})" if whole else "none (0/0)"


def _clamps(values: Iterable[float]) -> str:
    """Clamp values in order with their signs, such as `-5, 0, +25`."""
    return ", ".join(f"{value:+g}" if value else "0" for value in sorted(values)) or "none"
