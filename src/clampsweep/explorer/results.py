"""What the workflow wrote, for the Results tab: sweeps found, read, and filtered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.explorer import marking
from clampsweep.studies.bcr import rates, special, split_half, view
from clampsweep.studies.bcr.files import TABLES
from clampsweep.studies.bcr.verdict import judge
from clampsweep.studies.bcr.view import Tables
from clampsweep.texts.promptset import PROMPTS
from clampsweep.verdicts import VERDICTS
from clampsweep.words import counted, listed

FACTORS = ("core", "type", "level")

Factor = tuple[str, str]  # a further column of the prompts, and a value of it

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # as the config's schema has it

_NEEDED = ("prompts", "generations", "text_metrics", "recovery", "rates", "split_half", "verdicts")
_CONTROLS = ("special", "controls", "control_recovery", "control_metrics")
_NOT_SHOWN = ("verification", "detector_quality")

_FEW = 3  # values of a filter that are named


@dataclass(frozen=True)
class Chosen:
    """What of a sweep is shown: allowed values of each; empty allows all."""

    core: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    others: tuple[Factor, ...] = ()
    targets: tuple[str, ...] = ()

    @property
    def allowed(self) -> dict[str, list[str]]:
        """Allowed values by column of the prompts, those columns alone that the choice narrows."""
        found: dict[str, list[str]] = {}
        for factor, value in (*((f, v) for f in FACTORS for v in getattr(self, f)), *self.others):
            found.setdefault(factor, []).append(value)
        return found


def sweeps(results: Path) -> dict[str, datetime]:
    """The entries of this study that a results folder holds, and when each was made, newest first.

    An entry is known by the study that its verdicts are of; a folder without any is of another
    version, or not finished yet. One whose verdicts are damaged is named: reading it says so.
    """
    found = [path for path in sorted(results.glob("*/verdicts.parquet")) if _is_ours(path)]
    times = {
        path.parent.name: datetime.fromtimestamp(path.stat().st_mtime)
        for path in found
        if _NAME.fullmatch(path.parent.name)
    }
    return dict(sorted(times.items(), key=lambda one: one[1], reverse=True))


def _is_ours(verdicts_file: Path) -> bool:
    try:
        return set(tables.read(verdicts_file, VERDICTS)["study"]) == {"bcr"}
    except UserError:
        return True


def read(results: Path, name: str) -> Tables:
    """The tables of a sweep; detectors and title follow from the tables themselves.

    Args:
        results: The folder that holds the sweeps.
        name: One of `sweeps(results)`.

    Raises:
        UserError: A table is missing, damaged, or of another run than the others.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name of a sweep; choose one from the list")
    places = {table: results / file.format(entry=name) for table, file in TABLES.items()}
    there = {table: path for table, path in places.items() if path.is_file()}
    left_out = {*_NOT_SHOWN, *(() if there.keys() >= set(_CONTROLS) else _CONTROLS)}
    wanted = [table for table in places if table in _NEEDED or table in there]
    files = {table: places[table] for table in wanted if table not in left_out}
    sweep = view.read(files, (), "")
    _check_one_run(sweep, results / name)
    found = tuple(str(detector) for detector in sweep.recovery["detector"].unique())
    return replace(sweep, detectors=found, title=f"{name}: {_title(sweep)}")


def _check_one_run(sweep: Tables, folder: Path) -> None:
    """Refuse tables that name texts or prompts which their neighbours lack."""
    texts = _keys(sweep.generations)
    bases = set(view.baselines(sweep.generations)["prompt_id"])
    apart = [
        ("recovery", "generations", _keys(sweep.recovery) - texts),
        ("recovery", "generations", set(sweep.recovery["prompt_id"]) - bases),
        ("generations", "text_metrics", texts - _keys(sweep.text_metrics)),
        ("generations", "prompts", set(sweep.generations["prompt_id"]) - set(sweep.prompt_texts)),
    ]
    for one, other, missing in apart:
        if missing:
            raise UserError(
                f"{folder}: {one}.parquet and {other}.parquet are of different runs; "
                "wait until the workflow has ended, or run it again"
            )
    if sweep.recovery.empty:
        raise UserError(f"{folder}: no clamped text was judged, so there is nothing to show")


def _keys(frame: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(frame["prompt_id"], frame["key"], strict=True))


def _title(sweep: Tables) -> str:
    targets, rows = sweep.targets, view.intervened(sweep.generations)
    words = (
        ", ".join(sweep.shown.values()) if len(targets) <= 3 else counted(len(targets), "target")
    )
    operations = listed(sorted(rows["operation"].unique()))
    return f"{listed(sorted(rows['model'].unique()))}, {words}, {operations}"


def factor_values(sweep: Tables, factor: str) -> list[str]:
    """Values of `core`, `type` or `level` among the prompts: levels ascend, others as they come."""
    found = sweep.prompts[factor].dropna().drop_duplicates()
    return [str(value) for value in (sorted(found) if factor == "level" else found)]


def further_factors(sweep: Tables) -> list[Factor]:
    """Values of the prompts' further columns, which the user's own file has."""
    own = [column for column in sweep.prompts.columns if column not in PROMPTS.columns]
    return [
        (column, str(value))
        for column in own
        for value in sorted(sweep.prompts[column].dropna().astype(str).unique())
    ]


def select(sweep: Tables, choice: Chosen) -> Tables:
    """The part of a sweep that a choice allows, all that is counted of it counted anew.

    Args:
        sweep: The whole.
        choice: Values allowed for each factor of the prompts, and targets.

    Raises:
        UserError: No clamped text is left.
    """
    if choice == Chosen():
        return sweep
    prompts = sweep.prompts
    for factor, values in choice.allowed.items():
        prompts = prompts[prompts[factor].astype("string").isin(values).fillna(False)]
    targets = choice.targets or sweep.targets
    judged = _rows(sweep.recovery, prompts, targets)
    if judged.empty:
        raise UserError("no clamped text fits these filters; clear one of them to see texts again")
    whole = len(prompts) == len(sweep.prompts)
    size = f"{len(prompts)} of {counted(len(sweep.prompts), 'prompt')}"
    shown = replace(
        sweep,
        prompts=prompts.reset_index(drop=True),
        generations=_rows(sweep.generations, prompts, targets),
        text_metrics=_rows(sweep.text_metrics, prompts, targets),
        recovery=judged,
        rates=rates.rates(judged, prompts),
        split_half=split_half.split_half(judged, prompts),
        variability=sweep.variability if whole else None,  # counted over all prompts
        title=f"{sweep.title}; filtered: {_filters(sweep, choice)} ({size}); exploratory",
        **_controls(sweep, judged),
    )
    return replace(shown, **judge(shown)._asdict())


def _filters(sweep: Tables, choice: Chosen) -> str:
    """What a choice allows, in words: `type declarative, level 1 and 2`."""
    narrowed = choice.allowed
    if choice.targets:
        narrowed["target"] = [sweep.shown[target] for target in choice.targets]
    return ", ".join(
        f"{factor} {listed(values)}" if len(values) <= _FEW else counted(len(values), factor)
        for factor, values in narrowed.items()
    )


def _rows(frame: pd.DataFrame, prompts: pd.DataFrame, targets: Sequence[str]) -> pd.DataFrame:
    """Rows of these prompts: baselines, and texts of these targets."""
    allowed = frame["target"].isna() | frame["target"].isin(list(targets))
    return frame[allowed & frame["prompt_id"].isin(prompts["prompt_id"])].reset_index(drop=True)


def _controls(sweep: Tables, judged: pd.DataFrame) -> dict[str, Any]:
    """The controls of what is left, their ranks anew; none where they share no text with it."""
    none: dict[str, Any] = dict.fromkeys(_CONTROLS)
    if sweep.controls is None or sweep.control_recovery is None or sweep.control_metrics is None:
        return none
    own = sweep.controls[sweep.controls["target"].isin(judged["target"])]
    kept = _rows(sweep.control_recovery, judged, own["control"].tolist())
    if own.empty or kept.empty:
        return none
    try:
        ranks = special.special(judged, kept, own)
    except UserError:
        return none
    metrics = _rows(sweep.control_metrics, judged, own["control"].tolist())
    return {"special": ranks, "controls": own, "control_recovery": kept, "control_metrics": metrics}


def note(sweep: Tables, shown: Tables) -> Markup:
    """A line on what is shown: all of the sweep, or a part, whose numbers are exploratory."""
    if shown is sweep:
        return marking.message(f"{sweep.title}. All {counted(len(sweep.prompts), 'prompt')}.")
    lost = sweep.controls is not None and shown.controls is None
    return marking.message(
        f"{shown.title}. Rates, intervals and tests are counted anew for this selection: a lead "
        "to follow, no finding, since it was chosen with the results in sight."
        + (" The controls have no text in it." if lost else "")
    )
