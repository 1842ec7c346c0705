"""The field's export files: `extracted.tsv`, `metrics.csv`, `vectors.npz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.files import atomic
from clampsweep.studies.bcr.extracted import _COLUMNS, _INTERVENTION
from clampsweep.texts import collapse
from clampsweep.texts.metrics import FURTHER_METRICS, LIKELIHOOD_METRICS, PUBLISHED_METRICS


def _rows(prompts: pd.DataFrame, generations: pd.DataFrame) -> pd.DataFrame:
    """Generations prompt by prompt, by value, the baseline before the positive ones.

    Columns are those of the generations, without the text; `place` is the row of the prompt in
    `prompts`, `output` the text.
    """
    places = pd.Series(range(len(prompts)), index=prompts["prompt_id"])
    is_baseline = generations["operation"].eq("none")
    table = generations.rename(columns={"text": "output"}).assign(
        place=places.loc[generations["prompt_id"]].to_numpy(),
        side=np.where(is_baseline, 1, np.where(generations["value"].gt(0), 2, 0)),
    )
    order = ["place", "side", "value", "target", "operation", "scope", "seed"]
    table = table.sort_values(order, na_position="first", ignore_index=True)
    return table.drop(columns="side")


def _sweep(operation: str, value: float, target: str, n_targets: int) -> str:
    if operation == "none":
        return "baseline"
    if pd.isna(value):
        name = operation
    else:
        name = str(int(value)) if float(value).is_integer() else repr(float(value))
    return name if n_targets == 1 else f"{target}:{name}"


def extracted_frame(prompts: pd.DataFrame, generations: pd.DataFrame) -> pd.DataFrame:
    """Extracted table: core_id, type, level, sweep, prompt, output, all strings.

    Rows go prompt by prompt, by ascending value, the baseline after the values up to 0. With
    several targets, sweep is `<target>:<value>`; an operation without a value stands by its name.

    Args:
        prompts: A `PROMPTS` table. A prompt without core, or one of several with the same
            core, type and level, has its prompt_id as core_id and no type and level.
        generations: A `GENERATIONS` table of these prompts.

    Raises:
        KeyError: A generation's prompt is not among the prompts.
    """
    ids = prompts[["core", "type", "level"]].astype("str").fillna("")
    unnamed = ids["core"].eq("") | ids.duplicated(keep=False)
    ids.loc[unnamed, ["type", "level"]] = ""
    ids["core"] = ids["core"].mask(unnamed, prompts["prompt_id"])
    rows = _rows(prompts, generations)
    n_targets = rows["target"].nunique()
    facts = zip(rows["operation"], rows["value"], rows["target"], strict=True)
    table = ids.assign(prompt=prompts["text"]).iloc[rows["place"].to_numpy()]
    table = table.rename(columns={"core": "core_id"}).reset_index(drop=True)
    table["sweep"] = [
        _sweep(operation, value, target, n_targets) for operation, value, target in facts
    ]
    return table.assign(output=rows["output"])[_COLUMNS]


def _collapse_columns(
    generations: pd.DataFrame, recovery: pd.DataFrame, detector: str
) -> pd.DataFrame:
    """Flags of every generation under one detector, by prompt_id and key."""
    baselines = generations.loc[generations["operation"].eq("none")]
    own = collapse.flags(baselines, detector)
    names = {
        "collapsed": f"collapsed_{detector}",
        "baseline_collapsed": f"baseline_collapsed_{detector}",
        "intervention_improves_baseline": f"improves_{detector}",
        "intervention_harms_baseline": f"harms_{detector}",
    }
    unchanged = baselines[["prompt_id", "key"]].assign(**dict.fromkeys(names, False))
    unchanged = unchanged.assign(collapsed=own, baseline_collapsed=own)
    changed = recovery.loc[recovery["detector"].eq(detector), list(unchanged.columns)]
    return pd.concat([unchanged, changed]).rename(columns=names)


def metrics_frame(
    prompts: pd.DataFrame,
    generations: pd.DataFrame,
    text_metrics: pd.DataFrame,
    recovery: pd.DataFrame,
) -> pd.DataFrame:
    """Everything known of each text, in the row order of `extracted_frame`, baselines included.

    Columns: prompt_id, factors, prompt, intervention, output, text metrics, and per detector
    `collapsed_<d>`, `baseline_collapsed_<d>`, `improves_<d>`, `harms_<d>`. A factor whose name is
    taken by another column is called `prompt_<name>`.

    Args:
        prompts: A `PROMPTS` table.
        generations: A `GENERATIONS` table of these prompts.
        text_metrics: Its `TEXT_METRICS` table.
        recovery: Its `RECOVERY` table; names the detectors.

    Raises:
        KeyError: A generation's prompt is not among the prompts.
    """
    metrics = [*PUBLISHED_METRICS, *FURTHER_METRICS, *LIKELIHOOD_METRICS]
    rows = _rows(prompts, generations)
    factors = prompts.drop(columns=["text", "text_digest"])
    taken = {"prompt", "output", "key", *_INTERVENTION, *metrics}
    factors = factors.rename(columns={name: f"prompt_{name}" for name in taken})
    table = factors.assign(prompt=prompts["text"]).iloc[rows["place"].to_numpy()]
    table = table.reset_index(drop=True).join(rows[["key", *_INTERVENTION, "output"]])
    parts = [text_metrics[["prompt_id", "key", *metrics]]]
    parts += [
        _collapse_columns(generations, recovery, name) for name in recovery["detector"].unique()
    ]
    for part in parts:
        table = table.merge(part, on=["prompt_id", "key"], how="left", validate="one_to_one")
    return table.drop(columns="key")


def _csv_cell(value: Any, separator: str) -> str:
    text = "" if pd.isna(value) else str(value)
    if any(char in text for char in (separator, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text


def write_csv(frame: pd.DataFrame, path: Path | str, sep: str = ",") -> None:
    r"""Write a table as UTF-8 text with a header; null is an empty cell, lines end in "\n".

    Only cells that hold a separator, quote or line end are quoted. Python's own writer would leave
    a lone carriage return unquoted, which readers take for the end of the row.

    Args:
        frame: Cells are strings, numbers, booleans or null; at least two columns.
        path: Where; written atomically.
        sep: "," or a tab.

    Raises:
        UserError: The file could not be written.
    """
    with atomic(Path(path)) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        for row in [tuple(frame.columns), *frame.itertuples(index=False, name=None)]:
            file.write(sep.join(_csv_cell(value, sep) for value in row) + "\n")


def write_vectors(vectors: pd.DataFrame, path: Path | str) -> None:
    """Write vectors as npz that loads without pickles.

    Arrays, all of length n: `vectors` float32 [n, d_mlp]; `key`, `prompt_id`, `target`, `operation`
    unicode (null is ""); `layer` int64; `value` and `natural_value` float64 (null is nan); `seed`
    int64 (null is -1). Rows without a vector are left out.

    Args:
        vectors: A `VECTORS` table.
        path: Where; written atomically.

    Raises:
        UserError: The file could not be written.
    """
    rows = vectors.loc[vectors["vector"].notna()]
    cells = [np.asarray(cell, np.float32) for cell in rows["vector"]]
    arrays: dict[str, np.ndarray] = {
        "vectors": np.stack(cells) if cells else np.empty((0, 0), np.float32)
    }
    for name in ("key", "prompt_id", "target", "operation"):
        arrays[name] = np.array(rows[name].fillna("").tolist(), dtype=np.str_)
    for name in ("value", "natural_value"):
        arrays[name] = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
    arrays["layer"] = rows["layer"].to_numpy(dtype=np.int64)
    arrays["seed"] = rows["seed"].to_numpy(dtype=np.int64, na_value=-1)
    with atomic(Path(path)) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
