"""A sweep's tables as HTML: a grid of prompts by clamps, a text beside its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from clampsweep import operations
from clampsweep.errors import UserError
from clampsweep.explorer import marking
from clampsweep.explorer.marking import shortened
from clampsweep.explorer.results_figure import plain
from clampsweep.operations import describe
from clampsweep.studies.bcr import view
from clampsweep.studies.bcr.figures.texts import METRIC_TITLES
from clampsweep.studies.bcr.view import Tables
from clampsweep.texts.metrics import FURTHER_METRICS, LIKELIHOOD_METRICS, PUBLISHED_METRICS

STATES = (("both fine", "·"), ("rescued", "R"), ("harmed", "H"), ("both collapsed", "C"))

_SHORT = 60  # characters of a prompt before its row

MAX_ROWS = 300

MAX_CELLS = 6000

_CELL = Markup(
    '<td><button type="button" class="cs-cell cs-state-{}" tabindex="{}" aria-label="{}" '
    'data-prompt="{}" data-clamp="{}" data-key="{}">{}</button></td>'
)

_METRICS = (*PUBLISHED_METRICS, *FURTHER_METRICS, *LIKELIHOOD_METRICS)


def grid(sweep: Tables, detector: str) -> Markup:
    """Prompts x clamps as a table of buttons, one per clamped text, and the baselines' column.

    Rows stand core by core, a row per seed where texts have seeds, as in the figure `states`.

    Args:
        sweep: The tables.
        detector: Whose judgement is shown.
    """
    rows = sweep.recovery[sweep.recovery["detector"] == detector]
    code = rows["baseline_collapsed"].astype(int) + 2 * rows["collapsed"].astype(int)
    rows = rows.assign(code=code, position=sweep.positions(rows))
    places = [_seed(seed) for seed in rows["seed"]], rows["target"], rows["position"]
    facts = zip(rows["code"], rows["key"], strict=True)
    cells = dict(zip(zip(rows["prompt_id"], *places, strict=True), facts, strict=True))
    order, columns = _order(sweep), _columns(sweep, rows)
    limit = max(1, min(MAX_ROWS, MAX_CELLS // max(1, len(columns))))
    body = Markup().join(_row(sweep, cells, columns, *place) for place in order[:limit])
    cut = f"The first {limit:,} of {len(order):,} rows. Filter by core, type or level for others."
    body = body.replace(Markup('tabindex="-1"'), Markup('tabindex="0"'), 1)
    return Markup(
        '{}{}<div class="cs-gridbox"><table class="cs-grid"><caption class="cs-unseen">{}</caption>'
        "<thead>{}</thead><tbody>{}</tbody></table></div>"
    ).format(
        _legend(code),
        Markup('<p class="cs-quiet">{}</p>').format(cut) if len(order) > limit else "",
        f"State of every text by {detector}, prompts by clamps. Arrow keys move, Enter reads.",
        _head(sweep, columns),
        body,
    )


Column = tuple[str, int]  # target, place of its clamp in `Tables.clamps`

Cells = dict[tuple[str, int | None, str, int], tuple[int, str]]  # of place: state, key


def _seed(seed: Any) -> int | None:
    return None if pd.isna(seed) else int(seed)


def _order(sweep: Tables) -> list[tuple[str, int | None]]:
    """The rows, core by core: prompt_id and seed, None where no text has one."""
    prompts = sweep.prompts[["prompt_id", "core"]]
    cores = pd.Series(pd.factorize(prompts["core"])[0], index=prompts.index)
    names = prompts["prompt_id"].loc[cores.sort_values(kind="stable").index]
    seeds = sorted(int(seed) for seed in sweep.recovery["seed"].dropna().unique())
    return [(name, seed) for name in names for seed in seeds or (None,)]


def _columns(sweep: Tables, rows: pd.DataFrame) -> list[Column]:
    found = set(zip(rows["target"], rows["position"], strict=True))
    places = range(len(sweep.clamps))
    return [(one, place) for one in sweep.targets for place in places if (one, place) in found]


def _legend(code: pd.Series[int]) -> Markup:
    item = Markup('<li><span class="cs-cell cs-state-{}" aria-hidden="true">{}</span> {} {:,}</li>')
    items = [
        item.format(place, cue, state, int((code == place).sum()))
        for place, (state, cue) in enumerate(STATES)
    ]
    return Markup(
        '<ul class="cs-legend" aria-label="States, with their number of texts">{}</ul>'
    ).format(Markup().join(items))


def _head(sweep: Tables, columns: Sequence[Column]) -> Markup:
    """The clamps, and above them the targets."""
    names = Markup().join(
        Markup('<th scope="col">{}</th>').format(name)
        for name in ["prompt", "baseline", *(sweep.labels[place] for _, place in columns)]
    )
    sizes = [(one, sum(one == target for target, _ in columns)) for one in sweep.targets]
    groups = Markup('<tr><td colspan="2"></td>{}</tr>').format(
        Markup().join(
            Markup('<th scope="colgroup" colspan="{}">{}</th>').format(size, sweep.shown[one])
            for one, size in sizes
        )
    )
    return groups + Markup("<tr>{}</tr>").format(names)


def _row(
    sweep: Tables, cells: Cells, columns: Sequence[Column], prompt: str, seed: int | None
) -> Markup:
    label = prompt if seed is None else f"{prompt}, seed {seed}"
    found, before = [], None
    for target, place in columns:
        cell = cells.get((prompt, seed, target, place)) or cells.get((prompt, None, target, place))
        if cell is None:
            found.append(Markup('<td class="cs-none"></td>'))
            continue
        (code, key), clamp = cell, sweep.labels[place]
        before = code % 2
        says = f"{label}, {sweep.shown[target]} {clamp}: {STATES[code][0]}"
        found.append(_CELL.format(code, -1, says, prompt, clamp, key, STATES[code][1]))
    text = sweep.prompt_texts[prompt]
    return Markup(
        '<tr><th scope="row" title="{}: {}">{} <span class="cs-quiet">{}</span></th>{}{}</tr>'
    ).format(label, text, shortened(text, _SHORT), label, _baseline(before), Markup().join(found))


def _baseline(collapsed: int | None) -> Markup:
    if collapsed is None:
        return Markup('<td class="cs-none"></td>')
    state, cue = ("collapsed", STATES[3][1]) if collapsed else ("fine", STATES[0][1])
    return Markup(
        '<td><span class="cs-cell cs-state-{}" aria-hidden="true">{}</span>'
        '<span class="cs-unseen">{}</span></td>'
    ).format(3 * collapsed, cue, state)


def reading(sweep: Tables, prompt: str, key: str) -> Markup:
    """A clamped text beside its baseline, and what detectors and metrics say of both.

    Args:
        sweep: The tables.
        prompt: The prompt's name.
        key: The text's key.

    Raises:
        UserError: The sweep holds no such clamped text.
    """
    rows = view.intervened(sweep.generations)
    rows = rows[(rows["prompt_id"] == prompt) & (rows["key"] == key)]
    if rows.empty:
        raise UserError("that text is not among those shown; choose another cell")
    row = rows.iloc[0]
    own = view.baselines(sweep.generations)
    own = own[(own["prompt_id"] == prompt) & (own["seed"].isna() | (own["seed"] == row["seed"]))]
    before = own.sort_values("seed").iloc[0]  # that of the same seed if there is one: null is last
    clamp = describe(operations.clamp(row["operation"], row["value"], row["scope"]))
    done = f"{sweep.shown[row['target']]} {clamp}"
    seed = "" if _seed(row["seed"]) is None else f", seed {row['seed']}"
    pieces = marking.words(before["text"]), marking.words(row["text"])
    return Markup("<h3>{}</h3><h4>Prompt</h4>{}{}{}").format(
        f"{prompt}: {done}{seed}",
        marking.passage(marking.words(sweep.prompt_texts[prompt])),
        marking.side_by_side(("Baseline", f"Clamped, {done}"), pieces),
        Markup('<div class="cs-tables">{}{}</div>').format(
            _judged(sweep, prompt, key), _measured(sweep, before, row)
        ),
    )


def _judged(sweep: Tables, prompt: str, key: str) -> Markup:
    rows = sweep.recovery
    rows = rows[(rows["prompt_id"] == prompt) & (rows["key"] == key)]
    words = {True: "collapsed", False: "fine"}
    found = [
        (detector, words[bool(a)], words[bool(b)], STATES[int(a) + 2 * int(b)][0])
        for detector, a, b in zip(
            rows["detector"], rows["baseline_collapsed"], rows["collapsed"], strict=True
        )
    ]
    return marking.table(("detector", "baseline", "clamped", "state"), found, "Collapse")


def _measured(sweep: Tables, before: pd.Series[Any], after: pd.Series[Any]) -> Markup:
    metrics = sweep.text_metrics.set_index(["prompt_id", "key"])
    both = [metrics.loc[(row["prompt_id"], row["key"])] for row in (before, after)]
    found = [
        (METRIC_TITLES.get(name, name), *(plain(own[name]) for own in both)) for name in _METRICS
    ]
    found += [
        (title, plain(before[name]), plain(after[name]))
        for title, name in (("model tokens", "n_new_tokens"), ("ended by", "stop_reason"))
    ]
    return marking.table(("metric", "baseline", "clamped"), found, "Numbers of the texts")
