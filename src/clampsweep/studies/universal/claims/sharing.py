"""Are neurons shared? Each other model, against other text and against rotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clampsweep.ledger import Control, ran
from clampsweep.statistics import benjamini_hochberg
from clampsweep.studies.universal.agreed import Agreed
from clampsweep.studies.universal.claims.conclusions import STUDY, Concluded, ranked, row_of
from clampsweep.studies.universal.correspondence import TOKENS_ALIKE
from clampsweep.studies.universal.pair_tables import PERMUTED, SHIFTED, SWAPPED
from clampsweep.studies.universal.rotation import ORTHOGONAL
from clampsweep.verdicts import Claim, Result, corrected


def shared(given: Agreed) -> Concluded:
    """Claims on each other model, with their controls.

    Args:
        given: Tables of the slice.
    """
    others = list(dict.fromkeys(given.pairs["other"]))
    found = []
    for make in (_beside_shifts, _beside_rotations):
        made = [
            make(given.pairs[given.pairs["other"] == one], _nulls(given, one)) for one in others
        ]
        results = corrected([result for _, result, *_ in made])
        found += [
            (row_of(claim, result, words, why), controls)
            for (claim, _, words, why, controls), result in zip(made, results, strict=True)
        ]
    return found


def _nulls(given: Agreed, other: str) -> Mapping[str, pd.DataFrame]:
    own = given.nulls[given.nulls["other"] == other]
    return {str(kind): rows for kind, rows in own.groupby("kind")}


_Made = tuple[Claim, Result, tuple[str, str], str, list[Control]]


def _beside_shifts(pairs: pd.DataFrame, nulls: Mapping[str, pd.DataFrame]) -> _Made:
    """Best matches, against those by shifted and by other texts, whichever is sterner."""
    tried = pairs[pairs["p"].notna()]
    draws = {kind: nulls[kind]["mean"].tolist() for kind in (SHIFTED, SWAPPED)}
    sure = benjamini_hochberg(tried["p"].tolist()) < 0.05
    alike = _alike(pairs)
    name = "neurons are shared" if alike else "neurons correspond"
    medians = {kind: float(np.median(some)) for kind, some in draws.items()}
    why = (
        f"mean over {len(tried)} neurons, drawn by lot, of the highest correlation with any neuron "
        f"of the other model at {pairs['n'].iloc[0]:,} {_places(alike)}; shifted text gives "
        f"{medians[SHIFTED]:.3f}, another text of its kind at the same places "
        f"{medians[SWAPPED]:.3f}, medians of {len(draws[SHIFTED])} draws each; "
        f"{int(sure.sum())} of the neurons are above both one by one (q < 0.05)"
    )
    words = ("neurons of both respond to the same", "no more alike than by other text")
    claim = _pair_claim(name, pairs, "shifted and other text")
    controls = [
        ran("circular shifts of the text", len(draws[SHIFTED]), "within sequences, any distance"),
        ran("swaps of texts", len(draws[SWAPPED]), "of one kind, at the same places"),
    ]
    own = float(tried["corr"].mean())
    return claim, sterner(own, draws, len(tried)), words, why, _planted(nulls, controls)


def sterner(own: float, draws: Mapping[str, Sequence[float]], n: int) -> Result:
    """A value with its rank among the draws of the null that it is less sure of.

    So a claim is supported only if it is against either null, at the level of one test (Berger
    1982). Shifts lose what belongs to positions, swaps what belongs to documents.

    Args:
        own: The value.
        draws: Of each null.
        n: Number of cases.
    """
    found = [ranked(own, some, n) for some in draws.values()]
    return max(found, key=lambda one: (one.p is None, one.p or 0, one.null or 0))


def _beside_rotations(pairs: pd.DataFrame, nulls: Mapping[str, pd.DataFrame]) -> _Made:
    """The same against rotations: is it neurons that are shared, or only what they span?"""
    draws = nulls[ORTHOGONAL]["mean"].tolist()
    known = pairs["corr"].dropna()
    alike = _alike(pairs)
    name = "single neurons are shared" if alike else "single neurons correspond"
    why = (
        f"mean over {len(known):,} neurons of the highest correlation at {pairs['n'].iloc[0]:,} "
        f"{_places(alike)}, against {len(draws)} orthogonal rotations of each layer of the other "
        f"model, median {np.median(draws):.3f}; the paper's Gaussian one gives "
        f"{pairs['baseline'].mean():.3f}"
    )
    words = ("neurons match neurons better than directions", "neurons match as directions do")
    claim = _pair_claim(name, pairs, "rotations")
    return (
        claim,
        ranked(float(known.mean()), draws, len(known)),
        words,
        why,
        _planted(nulls, [ran("orthogonal rotations", len(draws), "uniform, of each layer")]),
    )


def _alike(pairs: pd.DataFrame) -> bool:
    """Whether the models share their tokens."""
    return bool(pairs["aligned"].iloc[0] == TOKENS_ALIKE)


def _places(alike: bool) -> str:
    return "tokens" if alike else "character ends that both tokenizers share"


def _pair_claim(name: str, pairs: pd.DataFrame, by: str) -> Claim:
    subject = str(pairs["other"].iloc[0])
    return Claim(STUDY, name, subject, "greater", "mean highest correlation", by=by)


def _planted(nulls: Mapping[str, pd.DataFrame], own: Sequence[Control]) -> list[Control]:
    """Controls, and the positive one."""
    planted = nulls[PERMUTED].iloc[0]
    said = f"{planted['mean']:.0%} of its neurons found, with correlation above 0.999"
    return [*own, ran("neurons of a permuted copy of the model", int(planted["n"]), said)]
