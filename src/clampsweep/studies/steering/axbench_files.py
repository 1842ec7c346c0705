"""Pairs in the rows of AxBench (Wu et al. 2025): prompts, and outputs with a concept or without.

The columns are `AXBENCH`; rows of evaluation files have more, which are passed over. What the
files hold (stanfordnlp/axbench; hub data sets pyvene/axbench-concept10, -concept500, -conceptFD):

- `category` is positive (the output has the concept), negative, or hard negative (the output has a
  concept that shares a word with it; then `output_concept` is that one, "word//meaning").
- In training files no concept has negatives of its own. They are shared: `concept_id` is -1,
  `output_concept` is EEEEE, and a concept's are those of its `concept_genre` (text, code or math).
  In evaluation files negatives carry the concept's id.
- Outputs are not paired: of a concept's 36 or 72 positive prompts, 0 to 7 are among its negatives.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from clampsweep.errors import UserError, reason, shown
from clampsweep.files import atomic, write_text
from clampsweep.studies.steering.pairs import Pair
from clampsweep.texts.prompt_files import read_text

AXBENCH = {
    "input": str,
    "output": str,
    "output_concept": str,
    "concept_genre": str,
    "category": str,
    "dataset_category": str,
    "concept_id": int,
}
NEGATIVE, HARD = "negative", "hard negative"

_CATEGORIES = ("positive", NEGATIVE, HARD)
_SHARED = -1  # concept_id of negatives that all concepts share
_NO_CONCEPT = "EEEEE"

log = logging.getLogger(__name__)


def read_axbench(
    path: Path | str, concept: int | None = None, negatives: str = NEGATIVE
) -> list[Pair]:
    """Pairs of a positive and a negative output of a concept, in the order of the positive ones.

    Outputs to the same prompt are paired first, then the others in their order, each with the
    prompt that it answers; what is left over of the longer list is not used. The topic is that of
    a column `topic`, which only files that clampsweep writes have.

    Args:
        path: Rows as Parquet, or as a JSON object a line (`.jsonl`).
        concept: Its `concept_id`; None if the file has one concept.
        negatives: `negative` or `hard negative`.

    Raises:
        UserError: It is no such file, or has no positive or no negative output of the concept.
    """
    rows = _rows(Path(path))
    concepts = _names(rows)
    if concept is None and len(concepts) == 1:
        (concept,) = concepts
    if concept not in concepts:
        allowed = ", ".join(map(str, concepts)) or "none"
        raise UserError(f"{path}: concept_id: got {concept}; allowed: {allowed}; name one of these")
    own = rows[rows["concept_id"] == concept]
    positive = own[own["category"] == _CATEGORIES[0]]
    negative = own[own["category"] == negatives]
    if negative.empty and negatives == NEGATIVE:
        shared = (rows["concept_id"] == _SHARED) & (rows["category"] == NEGATIVE)
        negative = rows[shared & rows["concept_genre"].isin(positive["concept_genre"])]
    if negative.empty:
        raise UserError(
            f"{path}: concept {concept} has no output of category {negatives!r}; "
            "name another file or other negatives"
        )
    return _paired(positive, negative)


def axbench_concepts(path: Path | str) -> dict[int, str]:
    """What each concept of a file is, by `concept_id`, in ascending order.

    Raises:
        UserError: It is no file of AxBench rows.
    """
    return _names(_rows(Path(path)))


def _names(rows: pd.DataFrame) -> dict[int, str]:
    positive = rows[rows["category"] == _CATEGORIES[0]].sort_values("concept_id", kind="stable")
    first = positive.drop_duplicates("concept_id")
    return dict(zip(first["concept_id"].tolist(), first["output_concept"].tolist(), strict=True))


def _paired(positive: pd.DataFrame, negative: pd.DataFrame) -> list[Pair]:
    """Positive rows, each with a negative one: of the same prompt first, then in order."""
    free: dict[str, list[int]] = {}  # prompt -> places of its negative rows, first ones last
    for at in reversed(range(len(negative))):
        free.setdefault(negative["input"].iloc[at], []).append(at)
    partner: dict[int, int] = {}
    for at, prompt in enumerate(positive["input"]):
        if free.get(prompt):
            partner[at] = free[prompt].pop()
    left = sorted(at for places in free.values() for at in places)
    others = [at for at in range(len(positive)) if at not in partner]
    partner |= dict(zip(others, left, strict=False))
    if unused := max(len(positive), len(negative)) - len(partner):
        log.info("%d outputs of the longer list have no partner and are not used", unused)
    return [_pair(positive.iloc[at], negative.iloc[partner[at]]) for at in sorted(partner)]


def _pair(positive: pd.Series, negative: pd.Series) -> Pair:
    same = positive["input"] == negative["input"]
    return Pair(
        positive["input"],
        positive["output"],
        negative["output"],
        positive["topic"],
        nonmatch_prompt=None if same else negative["input"],
    )


def _rows(path: Path) -> pd.DataFrame:
    """Rows of a file, checked, with a topic each."""
    try:
        if path.suffix == ".parquet":
            rows = pd.read_parquet(path)
        else:
            lines = read_text(path).splitlines()
            found = [json.loads(line) for line in lines if line.strip()]
            if not all(isinstance(row, dict) for row in found):
                raise ValueError("a line is no object")
            rows = pd.DataFrame(found)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; check the path in the config") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: neither Parquet nor JSON lines of AxBench rows: {reason(error)}; "
            "fetch or write it anew"
        ) from error
    if missing := [name for name in AXBENCH if name not in rows]:
        raise UserError(f"{path}: lacks column {missing[0]!r}; rows have {', '.join(AXBENCH)}")
    for name, kind in AXBENCH.items():
        for at, value in enumerate(rows[name].tolist(), 1):
            if not isinstance(value, kind) or isinstance(value, bool):
                what = "a whole number" if kind is int else "a text"
                raise UserError(f"{path}, row {at}: {name}: got {shown(value)}; write {what}")
    if unknown := sorted(set(rows["category"]) - set(_CATEGORIES)):
        allowed = ", ".join(_CATEGORIES)
        raise UserError(f"{path}: category: got {unknown[0]!r}; allowed: {allowed}")
    topics = rows["topic"].tolist() if "topic" in rows else [None] * len(rows)
    known = [topic if isinstance(topic, str) else None for topic in topics]
    return rows[list(AXBENCH)].assign(topic=pd.Series(known, rows.index, dtype=object))


def write_axbench(
    pairs: Sequence[Pair], path: Path | str, concept: str, genre: str = "text"
) -> None:
    """Write pairs as AxBench's rows for training: positive ones, and negative ones as shared.

    Read back, they have the same prompts, answers and topics. A file holds one concept, since its
    negatives would be every concept's.

    Args:
        pairs: At least one.
        path: Where, `.parquet` or `.jsonl`; written atomically.
        concept: What the behaviour is, in words.
        genre: `text`, `code` or `math`.

    Raises:
        UserError: The file cannot be written.
        ValueError: The pairs would be read back otherwise, as one prompt's answers stand apart.
    """
    path = Path(path)
    positive = [[pair.prompt, pair.match, concept, genre, "positive"] for pair in pairs]
    negative = [[pair.prompts[1], pair.nonmatch, _NO_CONCEPT, genre, NEGATIVE] for pair in pairs]
    topics = [pair.topic for pair in pairs]
    rows = pd.DataFrame(positive + negative, columns=list(AXBENCH)[:5])
    rows["dataset_category"] = "instruction"
    rows["concept_id"] = [0] * len(pairs) + [_SHARED] * len(pairs)
    if any(topic is not None for topic in topics):
        rows["topic"] = pd.Series(topics * 2, dtype=object)
    own = rows[: len(pairs)].assign(topic=pd.Series(topics, dtype=object))
    back = _paired(own, rows[len(pairs) :])
    if [pair.content for pair in back] != [pair.content for pair in pairs]:
        raise ValueError("answers to one prompt stand in two pairs, with others; part the pairs")
    if path.suffix == ".parquet":
        with atomic(path) as beside:
            rows.to_parquet(beside, index=False)
    else:
        lines = (json.dumps(row, ensure_ascii=False) for row in rows.to_dict("records"))
        write_text("".join(f"{line}\n" for line in lines), path)
