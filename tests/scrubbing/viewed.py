"""All tables of an entry on the planted model, as its jobs make them, in a folder of a test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clampsweep import ledger, tables
from clampsweep.shards.shard import KEY, Item, Shard, of_shard
from clampsweep.studies.scrubbing import items
from clampsweep.studies.scrubbing.concluding import TABLES, conclude
from clampsweep.studies.scrubbing.data import Data, tokens_table
from clampsweep.studies.scrubbing.head_scores import head_scores
from clampsweep.studies.scrubbing.hypotheses import Listed
from clampsweep.studies.scrubbing.masks import Lists
from clampsweep.studies.scrubbing.planted import BOS, planted
from clampsweep.studies.scrubbing.resolved import resolved
from clampsweep.studies.scrubbing.roles import HEADS, THRESHOLDS, heads_table, resolve
from clampsweep.studies.scrubbing.shards import compute
from clampsweep.studies.scrubbing.tables import (
    ATTENTION,
    CELLS,
    EXAMPLES,
    LOSSES,
    SAA,
    TOKENS,
    TOTALS,
)
from scrubbing import small

PLANTED = planted(n_examples=12)
_SCORES = head_scores(PLANTED.weights, BOS)
ROLES = resolve(_SCORES, THRESHOLDS)
_D_VOCAB = PLANTED.weights.d_vocab
DATA = Data(
    PLANTED.tokens,
    Lists(np.ones(_D_VOCAB, bool), np.zeros(_D_VOCAB, bool), np.arange(_D_VOCAB)),
    heads_table(_SCORES, ROLES),
)
PAIR = ("scrub-1", "scrub-2")
CIRCUIT = {"q": "all-E", "k": "all-0.0", "v": "all-E"}  # what the planted circuit does not need
LISTED = small.listed(
    {"name": "circuit", "heads": "induction", "decoherent": True, "controls": 2,
     "groups": [CIRCUIT]},
    {"name": "wrong", "heads": "induction", "groups": [{**CIRCUIT, "k": "all-E"}]},
    {"name": "scrub-1", "heads": "1.0", "groups": [small.WHOLE]},
    {"name": "scrub-2", "heads": "1.1", "groups": [small.WHOLE]},
    curve=["baseline", "circuit", "unscrubbed"],
)  # fmt: skip
ATTRIBUTED = [("unscrubbed", "scrub-1"), ("unscrubbed", "scrub-2"), ("baseline", "circuit")]
LOOKED_AT = [("unscrubbed", "wrong"), ("unscrubbed", "circuit")]
HOSTILE = (
    "|",
    "`",
    "``|",
    "a|b",
    "\n",
    "<script>",
    "*x*",
    " \\",
    "[a](b)",
    "\t",
    "&amp;",
    "# ",
    "\\|",
    "",
)
TEXTS = [*HOSTILE, *(f"t{token}" for token in range(len(HOSTILE), _D_VOCAB))]


def _made(work: str, some: Sequence[Item]) -> pd.DataFrame:
    """Rows of items, by key."""
    shard = Shard(f"scrubbing_{work}", "model", small.PARAMETERS, small.keyed(some))
    found = compute(PLANTED.weights, shard, DATA)
    return pd.concat([rows.assign(**{KEY: key}) for key, rows in found], ignore_index=True)


def sharded(folder: Path, listed: Listed = LISTED) -> dict[str, Any]:
    """Plans of losses and cells, and of each the one shard that holds all of it."""
    found: dict[str, Any] = {}
    for work, some, schema in (
        ("losses", items.losses_items(listed, len(DATA.tokens)), LOSSES),
        ("cells", items.cell_items(4), CELLS),
    ):
        plan, shard = folder / f"{work}.json", folder / f"{work}.shard.parquet"
        plan.write_text(json.dumps({"rows": [[one.name, one.name] for one in some]}))
        tables.write(_made(work, some), shard, of_shard(schema), {})
        found |= {f"{work}_plan": plan, work: [shard]}
    return found


def write(
    folder: Path,
    listed: Listed = LISTED,
    looked_at: Sequence[tuple[str, str]] = LOOKED_AT,
    attributed: Sequence[tuple[str, str]] = ATTRIBUTED,
    totals: Sequence[str] = ("unscrubbed", "wrong"),
) -> dict[str, Path]:
    """Path of each table by name, as `view.read_view` wants them."""
    n = len(DATA.tokens)
    (folder / "hypotheses.json").write_text(json.dumps(resolved(listed, ROLES, "h.yaml")))
    examples = pd.DataFrame(
        {"example": map(str, range(n)), "package": "p", "file": "f", "tokens": list(DATA.tokens)}
    )
    tokens = tokens_table(examples, TEXTS, DATA.lists.candidates)
    tokens = tokens.assign(common=DATA.lists.common).sample(frac=1, random_state=0)
    some = {
        "saa": (items.pair_items(listed, attributed, 3, n_draws=3), SAA),
        "attention": (
            items.pair_items(listed, looked_at, 2, n_draws=2, n_tokens=40), ATTENTION,
        ),
        "totals": (items.total_items(listed, totals, 3, n_draws=2), TOTALS),
    }  # fmt: skip
    frames = {
        "heads": (DATA.heads, HEADS),
        "examples": (examples, EXAMPLES),
        "tokens": (tokens, TOKENS),
        **{name: (_made(name, own).rename(columns={KEY: "item"}), schema)
           for name, (own, schema) in some.items()},
    }  # fmt: skip
    names = (*frames, *TABLES, "verdicts", "ledger")
    files = {name: folder / f"{name}.parquet" for name in names}
    files["hypotheses"] = folder / "hypotheses.json"
    for name, (frame, schema) in frames.items():
        tables.write(frame, files[name], schema, {})
    found = conclude(files | sharded(folder, listed), listed, PAIR, 0)
    for name, schema in TABLES.items():
        tables.write(getattr(found, name), files[name], schema, {})
    ledger.write(found.concluded, files["verdicts"], files["ledger"], {})
    return files
