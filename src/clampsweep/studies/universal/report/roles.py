"""The section on roles: candidates, what holding them did, beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from clampsweep.markdown import join, plain, table
from clampsweep.names import Neuron
from clampsweep.studies.universal.claims.roles import KEEP_LOSS, KEEP_RANKS
from clampsweep.studies.universal.roles import tables
from clampsweep.verdicts import UNTESTABLE

_PAPER: Mapping[str, str] = {
    tables.PREDICTION: "GPT-2 medium: 81 of 136 neurons that were labelled by hand",
    tables.SUPPRESSION: "GPT-2 medium: 55 of the 136",
    tables.PARTITION: "described, not counted",
    tables.ENTROPY: "GPT-2 medium: L23.945; held at 0 to 6, it turns entropy up with the scale, "
    "ranks hardly change",
    tables.ATTENTION: "GPT-2 medium: some turn attention to BOS on, some off",
}


def section(found: pd.DataFrame, roles: pd.DataFrame, rows: pd.DataFrame, begins: bool) -> str:
    """The section in Markdown.

    Args:
        found: `VERDICTS` of the slice.
        roles: `ROLES`.
        rows: `INTERVENTIONS` of all roles.
        begins: Whether sequences begin with BOS.
    """
    single = found["subject"].str.match(r"L\d+N\d+")
    together = [_verdict(row) for row in found[~single].to_dict("records")]
    counts = found[single].groupby("claim", sort=False)["verdict"].value_counts().unstack()
    each = [
        [plain(str(claim)), *(str(int(n)) if n == n else "" for n in row)]
        for claim, row in zip(counts.index, counts.to_numpy(float), strict=True)
    ]
    n_text = rows.loc[rows["role"] == tables.ENTROPY, "block"].nunique()
    blocks = [
        "## Roles of neurons, tried by holding them",
        "Candidates are chosen by weights (and by the sign of their largest activations: the write "
        "of a gated neuron turns round with it), and tried on the odd blocks of the known text. "
        "Each role has controls of its own.",
        table(("role", "candidates, best first", "chosen by", "in the paper"), _listed(roles)),
        table(("claim", "against", "by so much", "95 %", "q", "verdict"), together),
    ]
    if each:
        blocks += ["Candidates one by one:", table(("claim", *map(str, counts.columns)), each)]
    blocks.append(_remarks(n_text, begins))
    features = roles[roles["role"].str.startswith(tables.FEATURE)]["role"].nunique()
    if features:
        blocks.append(
            f"`un_roles.parquet` also lists the neurons of {features} features, as roles "
            f"`{tables.FEATURE}<name>`, for sweeps."
        )
    return join(blocks)


def _listed(roles: pd.DataFrame) -> list[list[str]]:
    """A row for each role but features."""
    rows = []
    for role, paper in _PAPER.items():
        own = roles[roles["role"] == role].sort_values("rank")
        names = [str(Neuron(one["layer"], one["neuron"])) for one in own.to_dict("records")]
        why = str(own["why"].iloc[0]) if len(own) else "none fits"
        rows.append([role, ", ".join(names) or "none", plain(why), plain(paper)])
    return rows


def _verdict(row: Mapping[Any, Any]) -> list[str]:
    """A claim's cells."""
    if row["verdict"] == UNTESTABLE:
        return [plain(row["claim"]), plain(row["by"]), "", "", "", f"untestable: {row['reason']}"]
    ends = [_number(row[name]) for name in ("low", "high")]
    estimate = f"{_number(row['estimate'])} {row['unit']}"
    return [plain(row["claim"]), plain(row["by"]), plain(estimate), f"[{ends[0]}, {ends[1]}]",
            f"{row['q']:.2g}", row["verdict"]]  # fmt: skip


def _number(value: float) -> str:
    return f"{value:+.3g}"


def _remarks(n_blocks: int, begins: bool) -> str:
    """What the numbers are of, and what they cannot say."""
    said = [
        "By so much: what candidates do beyond their controls; of "
        f"*{KEEP_RANKS}* and *{KEEP_LOSS}*, the change itself, over {n_blocks} blocks of text.",
        "An entropy neuron has a large norm by the choice, so that it moves more than plain "
        "neurons when held at the same value: matched neurons have norms like it, and are the fair "
        "comparison. In use means held at its mean, not at values that it may never take.",
    ]
    if not begins:
        said.append(
            "Attention neurons are untestable here: the model's sequences have no BOS for heads to "
            "look at."
        )
    return " ".join(said)
