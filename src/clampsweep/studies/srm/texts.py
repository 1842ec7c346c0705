"""The texts that SRM looks at: vectors of one layer, labels; and the plane that they span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int

from clampsweep.errors import UserError
from clampsweep.names import neurons_in
from clampsweep.studies.srm.plane import PROMPT_FACTORS, PromptGroup, Srm, check_vectors, describe

MIN_ANGLE = 1.0  # degrees between basis vectors; below, noise decides the plane

BASELINE = "baseline"

Labels = Mapping[str, np.ndarray]

Points = Float64[np.ndarray, "text 2"]


@dataclass(frozen=True, eq=False)
class GroupedTexts:
    """The texts that have a vector in the layer of the plane, and those that have none.

    Attributes:
        labels: prompt_id, type, level, core, clamp of each text, as words; None if not known. `all`
            is `baseline` or None.
        blank: The same of the texts without a vector.
        vectors: Mean post-activations, without the coordinates that the sweep changes.
        neurons: Index in the layer of each coordinate.
        weight: 1 / number of texts of the same prompt and clamp, so that each prompt counts once.
        groups: The groups of each factor, in order.
    """

    labels: Labels
    blank: Labels
    vectors: Float64[np.ndarray, "text d"]
    neurons: Int[np.ndarray, " d"]
    weight: Float64[np.ndarray, " text"]
    groups: Mapping[str, list[str]]

    @property
    def unit_vectors(self) -> Float64[np.ndarray, "text d"]:
        """The vectors at length 1."""
        return np.asarray(self.vectors / np.linalg.norm(self.vectors, axis=1, keepdims=True))


def select(vectors: pd.DataFrame, prompts: pd.DataFrame, srm: Srm) -> GroupedTexts:
    """The texts with a vector in the plane's layer, without the coordinates that the sweep changes.

    Args:
        vectors: A `VECTORS` table, baselines included.
        prompts: The `PROMPTS` table of its prompts.
        srm: Says the layer.

    Raises:
        UserError: The basis does not fit the sweep, or no baseline has a vector.
    """
    layers = sorted(int(layer) for layer in vectors["layer"].unique())
    targets = vectors["target"].dropna().unique()
    changed = {neuron.bare for name in targets for neuron in neurons_in(name)}
    check_vectors(srm, layers, changed)
    layer = srm.neurons[0].layer if srm.neurons else layers[0]
    rows = vectors[vectors["layer"] == layer].reset_index(drop=True)
    d_mlp = max((len(vector) for vector in rows["vector"].dropna()), default=0)
    neurons = np.setdiff1d(np.arange(d_mlp), [one.index for one in changed if one.layer == layer])
    # A text without a vector becomes zeros, and a vector without a length has no direction.
    whole = np.zeros((len(rows), d_mlp))
    for place, vector in rows["vector"].dropna().items():
        whole[int(str(place))] = vector
    found = whole[:, neurons].any(axis=1)
    names, groups = _labels(rows, prompts)
    known = names.iloc[np.flatnonzero(found)]
    if not known["clamp"].eq(BASELINE).any():
        raise UserError(f"{srm.where}: no baseline has a vector in layer {layer}; remove the key")
    weight = 1 / known.groupby(["prompt_id", "clamp"])["all"].transform("size")
    return GroupedTexts(
        labels=_arrays(known),
        blank=_arrays(names.iloc[np.flatnonzero(~found)]),
        vectors=whole[found][:, neurons],
        neurons=neurons,
        weight=weight.to_numpy(dtype=float),
        groups=groups,
    )


def _arrays(names: pd.DataFrame) -> dict[str, np.ndarray]:
    return {str(name): column.to_numpy(dtype=object) for name, column in names.items()}


def _labels(rows: pd.DataFrame, prompts: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """The labels of each text, and the groups of each factor in order."""
    known = prompts.set_index("prompt_id")
    names = pd.DataFrame({"prompt_id": rows["prompt_id"].astype(object)})
    groups = {"all": [BASELINE]}
    for factor in PROMPT_FACTORS:
        values = known[factor].dropna().unique()
        groups[factor] = [str(value) for value in (sorted(values) if factor == "level" else values)]
        own = {name: None if pd.isna(one) else str(one) for name, one in known[factor].items()}
        names[factor] = pd.Series([own[name] for name in rows["prompt_id"]], dtype=object)
    clamps = zip(rows["target"], rows["operation"], rows["value"], strict=True)
    words = [_clamp(t, o, v) if o != "none" else BASELINE for t, o, v in clamps]
    names["clamp"] = pd.Series(words, dtype=object)
    in_order = rows.sort_values(["target", "value"], na_position="first").index
    groups["clamp"] = list(dict.fromkeys(names["clamp"][in_order]))
    names["all"] = names["clamp"].where(names["clamp"] == BASELINE, None)
    return names, groups


def _clamp(target: str, operation: str, value: float) -> str:
    """A clamp in words, such as `L29N1479 set -25`."""
    return " ".join([target, operation, *([] if pd.isna(value) else [f"{value:g}"])])


def members(labels: Labels, factor: str, group: str) -> Bool[np.ndarray, " text"]:
    """Which texts a group holds: baselines only, unless the factor is the clamp."""
    own = labels[factor] == group
    return np.asarray(own if factor == "clamp" else own & (labels["clamp"] == BASELINE))


def spanning(labels: Labels, group: PromptGroup) -> Bool[np.ndarray, "*draw text"]:
    """Which texts a basis vector is the mean of: the baselines of a group of prompts.

    Args:
        labels: Of each text; some may have more axes in front.
        group: Values by factor.
    """
    found = labels["clamp"] == BASELINE
    for factor, value in group.items():
        found = found & (labels[factor] == str(value))
    return np.asarray(found)


def basis_of(texts: GroupedTexts, srm: Srm) -> Float64[np.ndarray, "d 2"]:
    """The two basis vectors: of neurons, or mean vectors of two groups of prompts; nan if empty."""
    if srm.neurons:
        wanted = np.array([neuron.index for neuron in srm.neurons])
        return np.asarray((texts.neurons[:, None] == wanted).astype(float))
    weight = np.array([spanning(texts.labels, one) * texts.weight for one in srm.prompt_groups])
    with np.errstate(invalid="ignore"):
        return np.asarray((weight @ texts.vectors / weight.sum(1, keepdims=True)).T)


def orthonormal(basis: Float64[np.ndarray, "d 2"]) -> Float64[np.ndarray, "d 2"]:
    """Orthonormal vectors of the plane: one along the first, one on the second's side of it.

    Args:
        basis: Two vectors that are not parallel.
    """
    q, r = np.linalg.qr(basis)
    return np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0))


def check_basis(basis: Float64[np.ndarray, "d 2"], srm: Srm) -> None:
    """Check that two vectors span a plane.

    Raises:
        UserError: One has no text, or they are less than `MIN_ANGLE` degrees from parallel.
    """
    for place, group in enumerate(srm.prompt_groups):
        if np.isnan(basis[:, place]).any():
            raise UserError(
                f"{srm.where}.basis[{place}]: every baseline of {describe(group)} is blank, so "
                "there is no mean vector; name other prompts"
            )
    sine = abs(np.linalg.qr(basis / np.linalg.norm(basis, axis=0)).R[1, 1])
    angle = float(np.degrees(np.arcsin(min(sine, 1.0))))
    if angle < MIN_ANGLE:
        raise UserError(
            f"{srm.where}.basis: the two vectors are {angle:.2g} degrees from parallel; a plane "
            f"needs at least {MIN_ANGLE:g}; name others"
        )
