"""All figures of an entry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from clampsweep import tables
from clampsweep.studies.backtracking.figures.areas import heldout
from clampsweep.studies.backtracking.figures.before_after import pairs
from clampsweep.studies.backtracking.figures.causal import damage, dose
from clampsweep.studies.backtracking.figures.index import FIGURES
from clampsweep.studies.backtracking.figures.offsets import offsets
from clampsweep.studies.backtracking.figures.ranked import discovery_test, layers, volcano
from clampsweep.studies.backtracking.figures.shares import rates
from clampsweep.studies.backtracking.pairs import PAIRED
from clampsweep.studies.backtracking.position_kinds import PRED
from clampsweep.studies.backtracking.ranking import NEURONS
from clampsweep.studies.backtracking.rates import RATES
from clampsweep.studies.backtracking.tables import AROUND
from clampsweep.studies.backtracking.view import by_contrast, contrasts_of


class Given(NamedTuple):
    """Tables of an entry; those by contrast may be empty.

    Attributes:
        neurons: `NEURONS` by contrast.
        heldout: `HELDOUT` by contrast.
        effects: `EFFECTS` by contrast.
        around: `AROUND` by contrast.
        rates: `RATES`.
        paired: `PAIRED`; None if the entry compares no texts.
        why: By contrast why it has no ranking; empty if it has one.
        kind: Position kind at which the neurons of `around` were ranked.
    """

    neurons: Mapping[str, pd.DataFrame]
    heldout: Mapping[str, pd.DataFrame]
    effects: Mapping[str, pd.DataFrame]
    around: Mapping[str, pd.DataFrame]
    rates: pd.DataFrame
    paired: pd.DataFrame | None
    why: Mapping[str, str]
    kind: str = PRED


def draw(given: Given, title: str, names: Collection[str] = tuple(FIGURES)) -> dict[str, Figure]:
    """Figures by their names.

    Args:
        given: The entry's tables.
        title: What the entry is.
        names: Of `index.FIGURES`; all of them if left out.
    """
    why = {name: reason for name, reason in given.why.items() if reason}
    every: dict[str, Callable[[], Figure]] = {
        "volcano": lambda: volcano(given.neurons, title, why),
        "layers": lambda: layers(given.neurons, title, why),
        "discovery_test": lambda: discovery_test(given.neurons, title, why),
        "heldout": lambda: heldout(given.heldout, title, why),
        "offsets": lambda: offsets(given.around, given.neurons, title, why, kind=given.kind),
        "dose": lambda: dose(given.effects, title, why),
        "damage": lambda: damage(given.effects, title, why),
        "rates": lambda: rates(given.rates, title),
        "rates_level": lambda: rates(given.rates, title, "level"),
        "rates_type": lambda: rates(given.rates, title, "type"),
        "pairs": lambda: pairs(given.paired, title),
    }
    return {name: every[name]() for name in names}


def read(files: Mapping[str, Any], params: Any) -> Given:
    """The tables of an entry.

    Args:
        files: Paths by name; `paired` may be missing.
        params: With `contrasts`, `minimum` and `top`.

    Raises:
        UserError: One is missing, truncated or another table.
    """
    names = list(params.contrasts)
    found = contrasts_of(files, names, tuple(params.minimum), params.top)
    paired = files.get("paired")
    return Given(
        neurons=by_contrast(files["neurons"], names, NEURONS),
        heldout={name: one.heldout for name, one in found.items()},
        effects={name: one.effects for name, one in found.items()},
        around=by_contrast(files["around"], names, AROUND),
        rates=tables.read(files["rates"], RATES),
        paired=tables.read(paired, PAIRED) if paired else None,
        why={name: one.insufficient for name, one in found.items()},
    )


def drawn(
    files: Mapping[str, Any], params: Any, outputs: Iterable[str | Path]
) -> dict[str, Figure]:
    """The figures that some outputs are named by, of tables in files.

    Args:
        files: As `read` wants them.
        params: As `read` wants them, and `title`.
        outputs: Files that the rule makes.
    """
    wanted = {Path(path).stem for path in outputs}
    names = [name for name in FIGURES if name in wanted]
    return draw(read(files, params), params.title, names)
