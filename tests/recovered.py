"""Recovery and rates of texts that are written by hand."""

from __future__ import annotations

import factories
from clampsweep.studies.bcr import rates, recovery
from clampsweep.texts import metrics as metrics_module
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.promptset import PROMPTS

FINE = "The night was quiet, and nobody came."
BROKEN = "no no no no no no no no no no"  # collapsed for surface and for entropy
LOOP = [7] * 9
VARIED = list(range(9))


def table_of(rows):
    return factories.frame(rows, GENERATIONS)


def recover(rows, detectors=("surface",)):
    generations = table_of(rows)
    return recovery.recovery(generations, metrics_module.table(generations), detectors)


def prompts_of(table, cores=None):
    """A prompts table for a recovery table; `cores` gives the core of a prompt."""
    names = table["prompt_id"].unique()
    rows = [factories.prompt("Say it.", name, core=cores and cores(name)) for name in names]
    return factories.frame(rows, PROMPTS)


def rates_of(rows, detectors=("surface",), cores=None):
    table = recover(rows, detectors)
    return rates.rates(table, prompts_of(table, cores))


def pairs(value, rescued=0, harmed=0, fine=0, broken=0, **columns):
    """Prompts of their own for one clamp value, so many of each fate."""
    fates = {
        (BROKEN, FINE): rescued,
        (FINE, BROKEN): harmed,
        (FINE, FINE): fine,
        (BROKEN, BROKEN): broken,
    }
    texts = [fate for fate, count in fates.items() for _ in range(count)]
    name = "/".join(map(str, (value, *columns.values())))
    for i, (before, after) in enumerate(texts):
        yield factories.baseline(f"{name}:{i}", before)
        yield factories.generation(f"{name}:{i}", after, value, **columns)


def only(frame):
    assert len(frame) == 1
    return frame.iloc[0]
