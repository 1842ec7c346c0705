"""Controls of a sweep's targets: neurons that are like them, and random directions.

A control runs through the same sweep. What the target does beyond its controls is its own; what
they do as well, any neuron of that size does, or any push of that length.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from clampsweep import tables
from clampsweep.names import is_direction
from clampsweep.provenance import record
from clampsweep.studies.bcr.best_clamps import BEST_CLAMPS, values_beside
from clampsweep.texts.control_table import CONTROLS, closeness, in_place_of
from clampsweep.texts.matching import choose, sizes_of
from clampsweep.texts.selection import NEURON_STATS, write_selected
from clampsweep.words import signed

log = logging.getLogger(__name__)


def write_controls(
    stats: Path,
    targets: Sequence[str],
    number: int,
    seed: int,
    matching: Sequence[str],
    code: str,
    table: Path,
) -> None:
    """Write what the controls of a sweep are.

    Args:
        stats: The sweep's `neuron_stats`.
        targets: The sweep's targets.
        number: Control neurons of each target, and as many directions; of a direction these alone.
        seed: Decides which ones.
        matching: `norm`, `activation`, both or none.
        code: Code digest, for the footer.
        table: Output, `CONTROLS`.
    """
    if all(map(is_direction, targets)):
        chosen = in_place_of(targets, number, seed)
    else:
        sizes = sizes_of(tables.read(stats, NEURON_STATS), matching)
        chosen = choose(sizes, targets, number, seed, matching, "controls.count")
        log.info("control neurons: %s", closeness(chosen))
    tables.write(chosen, table, CONTROLS, record(code=code))


def write_names(
    table: Path,
    stats: Path,
    best_clamps: Path,
    operation: str,
    values: Sequence[float | None],
    best_clamp: bool,
    selected: Path,
) -> None:
    """Write the controls' names for the plan, and the values that each runs with in addition.

    Args:
        table: What `write_controls` wrote.
        stats: The sweep's `neuron_stats`; for `mean` each control has its own.
        best_clamps: The targets' `BEST_CLAMPS`.
        operation: The sweep's.
        values: What all controls run with.
        best_clamp: Whether each runs at its own targets' best clamps too.
        selected: Output.
    """
    chosen = tables.read(table, CONTROLS)
    names = list(dict.fromkeys(chosen["control"]))
    best = tables.read(best_clamps, BEST_CLAMPS)
    more = values_beside(best, chosen, values) if best_clamp else {}
    log.info("%d controls: %s", len(names), ", ".join(names))
    if added := sorted({value for own in more.values() for value in own}):
        log.info("at their targets' best clamps too: %s", ", ".join(map(signed, added)))
    write_selected(names, operation, tables.read(stats, NEURON_STATS), selected, more)
