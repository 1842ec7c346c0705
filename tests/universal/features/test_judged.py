"""From texts to tables, claims, figures and the section, on a tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from clampsweep import ledger, tables
from clampsweep.figures.style import save_figure
from clampsweep.models.model import Model
from clampsweep.studies.universal.claims.features import HAS_NEURON, Setting, claims
from clampsweep.studies.universal.features.halves import Halves, halves
from clampsweep.studies.universal.features.judged import FeatureTables, judge
from clampsweep.studies.universal.features.scan import Scanned, scan
from clampsweep.studies.universal.features.tables import (
    CANDIDATES,
    CONFIRMED,
    HISTOGRAM,
    TRUTHS,
)
from clampsweep.studies.universal.figures.features import drawn
from clampsweep.studies.universal.report.features import section

CONTEXT, SKIP, MINIMUM, SHIFTS = 34, 2, 60, 99
LANGUAGES = {"prose": "en", "code": "python", "news": "en"}
SETTING = Setting(120, MINIMUM, SHIFTS, 3)


def texts(model: Model) -> pd.DataFrame:
    """A `TOKENS` table: random words in three domains, single bytes as tokens."""
    rows, rng = [], np.random.default_rng(0)
    words = ["the", "cat", "x", "a", "of,", "12", "Red.", "(", "on\n"]
    for domain in LANGUAGES:
        for number in range(40):
            text = " ".join(rng.choice(words, CONTEXT))[:CONTEXT]
            ids = model.tokenizer.convert_tokens_to_ids(
                [{" ": "\u0120", "\n": "\u010a"}.get(sign, sign) for sign in text]
            )
            block = number // 5
            rows.append((domain, number, "d", block, "confirmation" if block % 2 else "discovery",
                         text, ids, list(range(1, CONTEXT + 1))))  # fmt: skip
    names = ["domain", "seq_id", "doc_id", "block", "split", "text", "tokens", "ends"]
    return pd.DataFrame(rows, columns=names)


class Made(NamedTuple):
    """What the steps gave."""

    parts: Halves
    scanned: Scanned
    found: FeatureTables


@pytest.fixture(scope="module")
def made(llama: Model) -> Made:
    """All steps on the tiny Llama."""
    parts = halves(texts(llama), LANGUAGES, SKIP, MINIMUM)
    scanned = scan(llama, parts.discovery, 3, 6, 0)
    return Made(parts, scanned, judge(llama, parts, *scanned[:2], SHIFTS, 0))


def test_halves_are_the_even_and_the_odd_blocks(llama: Model, made: Made) -> None:
    table, (discovery, confirmation, strata, about) = texts(llama), made.parts
    own = table[table["split"] == "confirmation"]
    assert confirmation.sequences == [list(one) for one in own["tokens"]]
    assert len(discovery.sequences) == 60
    assert strata.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    the = about.set_index("feature").loc["x"]
    counted = sum(text[SKIP:].count("x") for text in own["text"])
    assert the["n_positive"] == counted
    assert confirmation.length == CONTEXT - SKIP


def test_rare_features_are_untestable_and_repeated_ones_the_same(made: Made) -> None:
    found = made.found.features.set_index("feature")
    assert found["outcome"]["letter_q"] == "untestable"
    assert found["outcome"]["numeric"] == "same" and found["same_as"]["numeric"] == "digit"
    pair = found.loc[["digit", "numeric"], ["layer", "neuron", "vr_confirmation", "q"]]
    assert pair.loc["digit"].tolist() == pair.loc["numeric"].tolist()
    tested = found["outcome"] == "tested"
    enough = (found["n_positive"] >= MINIMUM) & (found["n_discovery"] >= MINIMUM)
    assert (tested <= enough).all()
    assert found.loc[found["outcome"] == "untestable", "layer"].isna().all()
    assert "language_en" in found.index and found["moved"]["language_en"] == "blocks"


def test_tokens_are_told_by_neurons_and_planted_features_found(made: Made) -> None:
    found = made.found.features.set_index("feature")
    assert found["vr_confirmation"]["digit"] > 5 * found["null_max"]["digit"]
    assert found["q"]["digit"] < 0.05
    assert found["vr_confirmation"]["domain_code"] < found["null_max"]["domain_code"]
    planted = made.found.planted.set_index("kind")
    assert planted.loc["planted", ["found", "right"]].all().all()
    assert not planted.loc["shifted", "found"].any()


def test_tables_can_be_written(made: Made, tmp_path: Path) -> None:
    for name, schema in CONFIRMED.items():
        tables.write(getattr(made.found, name), tmp_path / name, schema, {})
        assert len(tables.read(tmp_path / name, schema)) == len(getattr(made.found, name))
    for frame, schema in zip(made.scanned, (CANDIDATES, TRUTHS, HISTOGRAM), strict=True):
        tables.write(frame, tmp_path / "table", schema, {})


def test_claims_have_controls_and_figures_and_section_say_what_was_found(
    made: Made, tmp_path: Path
) -> None:
    features, neurons, planted, positions = made.found
    found = ledger.conclusions(claims(features, planted, positions, SETTING))
    ledger.write(found, tmp_path / "verdicts.parquet", tmp_path / "ledger.parquet", {})
    own = found.verdicts.set_index("subject")
    assert own["verdict"]["digit"] == "supported"
    assert own["verdict"]["letter_q"] == "untestable" and "60" in own["reason"]["letter_q"]
    assert own["verdict"]["domain_code"] == "inconclusive"
    assert "numeric" not in own.index
    n = int((own.loc[own["claim"] == HAS_NEURON, "verdict"] == "supported").sum())
    text = section(features, neurons, planted, positions, found.verdicts)
    assert f"**{n} have a neuron**" in text and "6 of 6 were found" in text
    for name, figure in drawn(features, made.scanned.histogram, found.verdicts, "tiny").items():
        save_figure(figure, [tmp_path / f"{name}.svg"])
        assert (tmp_path / f"{name}.svg").stat().st_size > 2000


def test_with_nothing_to_test_all_is_untestable_and_said(llama: Model, tmp_path: Path) -> None:
    parts = halves(texts(llama), LANGUAGES, SKIP, 10**6)
    scanned = scan(llama, parts.discovery, 2, 2, 0)
    own = judge(llama, parts, *scanned[:2], 19, 0)
    found = ledger.conclusions(claims(own.features, own.planted, own.positions, SETTING))
    kinds = found.verdicts.query("claim != 'feature neuron for position'")["verdict"]
    assert set(kinds) == {"untestable"}
    assert "**0 have a neuron**" in section(*own, found.verdicts)
    for name, figure in drawn(own.features, scanned.histogram, found.verdicts, "tiny").items():
        save_figure(figure, [tmp_path / f"{name}.svg"])
    for name, schema in CONFIRMED.items():
        tables.write(getattr(own, name), tmp_path / name, schema, {})
