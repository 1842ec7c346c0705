"""What is concluded of planted tables, and of tables in which there is nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clampsweep import ledger
from clampsweep.studies.universal.claims.agreement import claims
from clampsweep.studies.universal.claims.conclusions import ranked
from clampsweep.studies.universal.claims.sharing import shared, sterner
from clampsweep.studies.universal.correlation import Copy, Correlator, best
from clampsweep.verdicts import Claim, Result, conclude, corrected
from universal.agreements import agreed, alone


def verdicts(given: Any, folder: Path) -> pd.DataFrame:
    """Concluded and written, which checks them."""
    found = ledger.conclusions(claims(given))
    ledger.write(found, folder / "verdicts.parquet", folder / "ledger.parquet", {})
    return found.verdicts.set_index(["claim", "subject", "by"])


def test_what_is_planted_is_supported(tmp_path: Path) -> None:
    found = verdicts(agreed()[0], tmp_path)["verdict"]
    for other in ("b", "c"):
        assert found["neurons are shared", other, "shifted and other text"] == "supported"
        assert found["single neurons are shared", other, "rotations"] == "supported"
    differ = found["universal neurons differ"]
    kurtosis = "kurtosis of the pre-activation"
    assert differ[kurtosis, "matched neurons"] == "supported"
    assert (differ.drop(kurtosis) != "supported").all()
    assert len(differ) == 8
    beyond = found["sharing and not chance"]
    assert beyond[kurtosis, "neurons chosen by shifted text"] == "supported"
    assert found["persistence of universal neurons", "early", "correlation with itself"] == (
        "supported"
    )
    ablated = found["ablation of universal neurons"]
    assert len(ablated) == 4
    assert (ablated == "supported").all()


def test_where_nothing_is_planted_nothing_is(tmp_path: Path) -> None:
    given = agreed(shared=0.0, harm=0.0, seed=3)[0]
    flat = given.pairs.assign(corr=0.2, p=given.pairs["p"].where(given.pairs["p"].isna(), 0.5))
    found = verdicts(given._replace(pairs=flat), tmp_path)
    assert (found["verdict"] != "supported").all()
    differ = found.loc["universal neurons differ"]
    assert set(differ["verdict"]) == {"untestable"}
    assert "above the cut" in differ["reason"].iloc[0]


def test_base_rates_are_vacuous_with_the_originals_number(tmp_path: Path) -> None:
    found = verdicts(agreed()[0], tmp_path)
    rate = found.loc[("base rate of negative input bias", "mean of the gate", "")]
    assert rate["verdict"] == "vacuous"
    assert "93.3 %" in rate["why"]
    rare = found.loc["base rate of firing at fewer than half the places"].iloc[0]
    assert rare["verdict"] == "vacuous"
    assert "516" in rare["why"]


def test_without_other_models_universality_is_untestable(tmp_path: Path) -> None:
    found = verdicts(alone()[0], tmp_path)
    one = found.loc[("universal neurons differ", "all statistics", "")]
    assert one["verdict"] == "untestable"
    assert "agreement.others" in one["reason"]
    assert len(found) == 3


def test_other_tokenizers_are_called_correspondence(tmp_path: Path) -> None:
    given = agreed()[0]
    far = given._replace(pairs=given.pairs.assign(aligned="characters"))
    names = verdicts(far, tmp_path).index.get_level_values("claim")
    assert {"neurons correspond", "single neurons correspond"} <= set(names)
    assert "neurons are shared" not in names


def test_controls_say_that_a_permuted_copy_was_found() -> None:
    controls = [control for _, own in shared(agreed()[0]) for control in own]
    planted = [one for one in controls if one.name.startswith("neurons of a permuted copy")]
    assert len(planted) == 4
    assert all(one.ran and one.n == 512 and one.why.startswith("100%") for one in planted)


def test_a_statistic_that_the_model_does_not_have() -> None:
    given = agreed()[0]
    gt1 = given.gt1.copy()
    own = gt1["metric"] == "in_out_sim"
    gt1.loc[own, "n"] = 0
    numbers = [name for name in gt1 if name not in ("chosen", "metric", "n", "n_rest", "n_layers")]
    gt1.loc[own, numbers] = np.nan
    rows = [row for row, _ in claims(given._replace(gt1=gt1))]
    (one,) = (
        row for row in rows
        if row["subject"].startswith("cosine") and row["claim"] == "universal neurons differ"
    )  # fmt: skip
    assert one["verdict"] == "untestable"
    assert "not defined" in one["reason"]


def test_q_values_leave_out_what_was_not_tested() -> None:
    found = corrected([Result(p=0.01), Result(), Result(p=0.04)])
    assert [one.q for one in found] == pytest.approx([0.02, None, 0.04])


def test_the_sterner_null_decides() -> None:
    low, high = [0.1] * 24, [*[0.2] * 12, *[0.4] * 12]
    found = sterner(0.3, {"shifted": low, "swapped": high}, 5)
    assert found.p == 13 / 25
    assert found.null == pytest.approx(0.3)
    assert sterner(0.5, {"shifted": low, "swapped": high}, 5).p == 1 / 25


def test_a_value_that_is_no_number_is_no_case() -> None:
    assert ranked(float("nan"), [0.1], 3) == Result(n=0)


def supported(rng: np.random.Generator, permuted: bool) -> bool:
    """Whether two models of the same texts are said to share neurons, sequences permuted or not."""
    n, length, d = 10, 30, 6
    steps = rng.standard_normal((n, length, d))
    slow = np.cumsum(steps, axis=1) * np.exp(rng.standard_normal((n, 1, 1)))
    own, other = (slow @ rng.standard_normal((d, d)) for _ in range(2))
    if permuted:
        other = np.roll(other, 1 + rng.integers(n - 1), axis=0)
    every = np.arange(d)
    copies = [Copy(every)] * 24 + [Copy(every, swapped=True)] * 24
    running = Correlator(d, 1, d, copies, int(rng.integers(2**31)))
    flat = (one.reshape(-1, d).astype(np.float32) for one in (own, other))
    running.add(*flat, [length] * n)
    means = best(running.finish()).corr.reshape(49, d).mean(1)
    claim = Claim("universal", "neurons are shared", "b", "greater", "correlation")
    draws = {"shifted": means[1:25].tolist(), "swapped": means[25:].tolist()}
    result = sterner(float(means[0]), draws, d)
    return bool(conclude(claim, result, "said", "why")["verdict"] == "supported")


def test_the_error_rate_where_sequences_are_permuted() -> None:
    """200 simulations of activations that drift from the sequence's beginning: the level is 1 / 25.

    Shifts alone would nearly always say that neurons are shared: both models know the position.
    """
    rng = np.random.default_rng(0)
    false = sum(supported(rng, permuted=True) for _ in range(200))
    assert false <= 15  # 99.5 % of what chance gives at 1 / 25
    assert sum(supported(rng, permuted=False) for _ in range(20)) >= 18
