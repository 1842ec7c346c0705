"""Published tables of neurons, and whether a model's weights have the statistics that they say.

The tables are those that come with the code of Gurnee et al. 2024 (wesg52/universal-neurons,
`dataframes/interpretable_neurons/`): CSV, a row for each neuron. They differ: one has older names
of columns, a first column without a name, and an older excess correlation; one is sorted by
kurtosis; one has labels alone, and a row for each label of a neuron.

On the same weights the statistics of weights must agree within 1e-4 of the value plus 2e-4. Those
of activations depend on the texts, and are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy import stats

from clampsweep.errors import UserError, explain_os_error, reason
from clampsweep.studies.universal.mlp import FOLDED
from clampsweep.tables import Column, Schema

RELATIVE, ABSOLUTE = 1e-4, 2e-4
"""How far values of the same weights may lie apart: two releases of one table do, by half."""

FROM_WEIGHTS = ("w_in_norm", "w_out_norm", "input_bias", "in_out_sim", "l2_penalty")
FROM_VOCABULARY = ("vocab_mean", "vocab_var", "vocab_skew", "vocab_kurt")
COMPARED = (*FROM_WEIGHTS, *FROM_VOCABULARY)

REFERENCE = Schema(
    "universal reference",
    {
        "column": Column("str", "statistic of weights, as in un_weights or un_vocab, folded"),
        "n": Column("int", "neurons that the published table has"),
        "n_within": Column("int", "those whose values agree within the tolerance"),
        "largest": Column("float", "largest difference, as a share of the tolerance"),
        "correlation": Column("float", "rank correlation of published and found", null=True),
        "dealt": Column("float", "share within the tolerance were neurons of a layer mixed up"),
    },
    key=("column",),
)

_PLACE = ["layer", "neuron"]
_NO_NAME = "Unnamed"  # pandas' word for the column of a table that was saved with its index
_NOW: Mapping[str, str] = {
    "input_weight_norm": "w_in_norm",
    "output_weight_norm": "w_out_norm",
    "weight_norm_penalty": "l2_penalty",
}
_IDENTITY = 1e-6  # how far off an identity may be, as a share: the table has 8 digits


def read_published(path: Path | str) -> pd.DataFrame:
    """A published table by today's names of columns, sorted by layer and neuron.

    Args:
        path: One of the six CSV files, or another of that form.

    Raises:
        UserError: It cannot be read, is no such table, or its columns contradict each other.
    """
    try:
        found = pd.read_csv(path, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; check the key reference of the config") from error
    except OSError as error:
        raise explain_os_error(error, path, "read") from error
    except ValueError as error:  # pandas' own, and what is not UTF-8
        raise UserError(f"{path}: no CSV table ({reason(error)}); get it again") from error
    found = found.loc[:, [not str(name).startswith(_NO_NAME) for name in found.columns]]
    found = found.rename(columns=_NOW)
    _check(found, path)
    return found.sort_values(_PLACE, kind="stable", ignore_index=True)


def _check(found: pd.DataFrame, path: Path | str) -> None:
    """Refuse what is no table of neurons."""
    if lacking := [name for name in _PLACE if name not in found.columns]:
        allowed = ", ".join(map(str, found.columns))
        raise UserError(f"{path}: no column {lacking[0]!r}; it has {allowed}; name a table of "
                        "neurons")  # fmt: skip
    if found.empty:
        raise UserError(f"{path}: no neurons in it; get it again")
    for name in (name for name in (*_PLACE, *COMPARED) if name in found.columns):
        numbers = pd.to_numeric(found[name], errors="coerce").to_numpy(float)
        whole = name not in _PLACE or bool(np.all((numbers >= 0) & (numbers % 1 == 0)))
        if not (np.isfinite(numbers).all() and whole):
            at = int(np.flatnonzero(~np.isfinite(numbers))[0]) if whole else 0
            what = "a number in each row" if whole else "whole numbers from 0"
            raise UserError(
                f"{path}: column {name!r} does not hold {what} (row {at + 1} of the neurons has "
                f"{found[name].iloc[at]!r}); get it again"
            )
    for identity, off in identities(found):
        if not off < _IDENTITY:
            raise UserError(
                f"{path}: {identity} does not hold (off by {off:.2g} of the value), so it was "
                "changed after it was made; get it again"
            )


def identities(found: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """What must hold in a table by definition, and how far off it is, as a share of the value.

    An older excess correlation, of tables without mean correlations, is of another definition.

    Args:
        found: A published table.
    """
    columns = {name: found[name].to_numpy(float) for name in found.columns if name in _SQUARES}
    if columns.keys() >= {"w_in_norm", "w_out_norm", "l2_penalty"}:
        whole = columns["w_in_norm"] ** 2 + columns["w_out_norm"] ** 2
        yield "l2_penalty = w_in_norm^2 + w_out_norm^2", _off(columns["l2_penalty"], whole)
    if columns.keys() >= {"mean_corr", "mean_baseline", "excess_corr"}:
        excess = columns["mean_corr"] - columns["mean_baseline"]
        yield "excess_corr = mean_corr - mean_baseline", _off(columns["excess_corr"], excess)


_SQUARES = (
    "w_in_norm", "w_out_norm", "l2_penalty", "mean_corr", "mean_baseline", "excess_corr",
)  # fmt: skip


def _off(one: Float64[np.ndarray, " row"], other: Float64[np.ndarray, " row"]) -> float:
    return float((np.abs(one - other) / np.maximum(np.abs(other), 1e-12)).max())


def compare(
    published: pd.DataFrame, weights: pd.DataFrame, vocab: pd.DataFrame, seed: int, path: str
) -> pd.DataFrame:
    """The table `REFERENCE`: each statistic that a published table has, beside a model's.

    Args:
        published: What `read_published` gives.
        weights: `WEIGHTS` of the model.
        vocab: `VOCABULARY` of the model.
        seed: Of the mixing up.
        path: Of the published table, for messages.

    Raises:
        UserError: It has no statistic of weights, or a neuron that the model does not have.
    """
    names = [name for name in COMPARED if name in published.columns]
    if not names:
        raise UserError(
            f"{path}: no statistic of weights in it ({', '.join(COMPARED)}); name a table that "
            "has some, such as universal.csv"
        )
    own = [one[one["processing"] == FOLDED].set_index(_PLACE) for one in (weights, vocab)]
    found = own[0].join(own[1][list(FROM_VOCABULARY)])
    said = published.drop_duplicates(_PLACE).set_index(_PLACE)
    if missing := [place for place in said.index if place not in found.index]:
        layer, neuron = missing[0]
        raise UserError(
            f"{path}: has neuron L{layer}N{neuron}, and the entry's model has none; name the table "
            "of this very model, or leave reference out"
        )
    rng, layers = np.random.default_rng(seed), found.index.get_level_values("layer").to_numpy()
    mixed = found.iloc[_dealt(layers, rng)].set_axis(found.index)
    rows = [
        _row(name, *(one.loc[said.index, name] for one in (said, found, mixed))) for name in names
    ]
    return pd.DataFrame(rows, columns=list(REFERENCE.columns))


def _dealt(layers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of neurons, those of a layer in another order."""
    rows = np.arange(len(layers))
    for layer in np.unique(layers):
        own = np.flatnonzero(layers == layer)
        rows[own] = rng.permutation(own)
    return rows


def _row(name: str, said: pd.Series, found: pd.Series, mixed: pd.Series) -> tuple[object, ...]:
    """A row of `REFERENCE`."""
    published, own, other = (one.to_numpy(float) for one in (said, found, mixed))
    off, chance = (differences(published, values) for values in (own, other))
    varies = np.ptp(published) > 0 and np.ptp(own) > 0
    correlation = float(stats.spearmanr(published, own).statistic) if varies else np.nan
    within = int((off <= 1).sum())
    largest = float(off.max()) if np.isfinite(off).all() else np.inf
    return name, len(off), within, largest, correlation, float((chance <= 1).mean())


def differences(
    published: Float64[np.ndarray, " neuron"], found: Float64[np.ndarray, " neuron"]
) -> Float64[np.ndarray, " neuron"]:
    """Differences of values as shares of what they may be; infinite where nothing was found."""
    off = np.abs(published - found) / (ABSOLUTE + RELATIVE * np.abs(published))
    return np.where(np.isnan(off), np.inf, off)
