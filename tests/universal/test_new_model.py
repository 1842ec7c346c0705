"""GT1: pooled moments, metrics, and the table, against numbers found in another way."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from clampsweep.studies.universal.gt1_tables import BALANCE, CHANCE, GT1, METRICS, UNIVERSAL
from clampsweep.studies.universal.new_model import gt1, neuron_metrics, pooled

LAYERS, D = 3, 50
N = LAYERS * D


def place() -> dict[str, np.ndarray]:
    return {"layer": np.repeat(np.arange(LAYERS), D), "neuron": np.tile(np.arange(D), LAYERS)}


def stats_rows(domain: str, values: np.ndarray) -> pd.DataFrame:
    """Rows of `un_stats` of values, [position, neuron]."""
    return pd.DataFrame(
        {
            "domain": domain,
            "var": "gate",
            **place(),
            "n": len(values),
            "mean": values.mean(0),
            "variance": values.var(0, ddof=1),
            "skew": stats.skew(values, axis=0),
            "kurt": stats.kurtosis(values, axis=0, fisher=False),
            "freq": (values > 0).mean(0),
        }
    )


def weights(rng: np.random.Generator, bias: bool = True) -> pd.DataFrame:
    """`un_weights`, raw rows among them."""
    names = ("w_in_norm", "w_out_norm", "input_bias", "in_out_sim", "l2_penalty")
    folded = pd.DataFrame({**place(), **{name: rng.random(N) for name in names}})
    if not bias:
        folded["input_bias"] = np.nan
    raw = folded.assign(**dict.fromkeys(names, 9.0))
    return pd.concat([raw.assign(processing="raw"), folded.assign(processing="folded")])


def vocabulary(rng: np.random.Generator) -> pd.DataFrame:
    names = ("vocab_mean", "vocab_var", "vocab_skew", "vocab_kurt")
    return pd.DataFrame(
        {"processing": "folded", **place(), **{name: rng.random(N) for name in names}}
    )


def corr(universal: np.ndarray, chance: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({**place(), "universal": universal, "chance": chance})


def test_moments_over_domains_are_those_of_all_positions() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.gamma(1, size=(90, N)) - 1, 3 * rng.standard_normal((140, N)) + 0.4
    found = pooled(pd.concat([stats_rows("a", one), stats_rows("b", two)]))
    both = np.concatenate([one, two])
    np.testing.assert_allclose(found["mean"], both.mean(0))
    np.testing.assert_allclose(found["variance"], both.var(0, ddof=1))
    np.testing.assert_allclose(found["skew"], stats.skew(both, axis=0))
    np.testing.assert_allclose(found["kurt"], stats.kurtosis(both, axis=0, fisher=False))
    np.testing.assert_allclose(found["freq"], (both > 0).mean(0))
    assert (found["n"] == 230).all()


def test_the_mean_of_the_gate_stands_for_a_bias_that_is_not_there() -> None:
    rng = np.random.default_rng(0)
    gate = stats_rows("a", rng.standard_normal((50, N)))
    own = weights(rng)
    with_bias = neuron_metrics(gate, own, vocabulary(rng))
    folded = own.loc[own["processing"] == "folded", "input_bias"]
    np.testing.assert_array_equal(with_bias["bias"], folded)
    assert set(with_bias["bias_is"]) == {"input bias"}
    without = neuron_metrics(gate, weights(rng, bias=False), vocabulary(rng))
    np.testing.assert_allclose(without["bias"], gate["mean"])
    assert set(without["bias_is"]) == {"mean of the gate"}


def test_a_planted_difference_is_found_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    universal, chance = rng.random(N) < 0.2, rng.random(N) < 0.2
    metrics = pd.DataFrame({**place(), **{name: rng.random(N) for name in (*METRICS, *BALANCE)}})
    metrics["kurt"] += 0.6 * universal
    found = gt1(metrics, corr(universal, chance), 0)
    assert set(found.columns) == set(GT1.columns)
    own = found[found["chosen"] == UNIVERSAL].set_index("metric")
    assert own.loc["kurt", "q"] < 0.01
    assert own.loc["kurt", "beyond_q"] < 0.01
    assert (own.drop(["kurt", *BALANCE])["q"] > 0.05).all()
    assert own.loc["kurt", "median"] - own.loc["kurt", "median_rest"] > 0.4
    assert own.loc["kurt", "percentile"] > 70
    assert own.loc["kurt", "n"] + own.loc["kurt", "n_rest"] == N
    assert own.loc["w_out_norm", ["q", "beyond"]].isna().all()
    assert found[found["chosen"] == CHANCE]["beyond"].isna().all()


def test_q_is_corrected_over_the_eight() -> None:
    rng = np.random.default_rng(3)
    universal = rng.random(N) < 0.2
    metrics = pd.DataFrame({**place(), **{name: rng.random(N) for name in (*METRICS, *BALANCE)}})
    found = gt1(metrics, corr(universal, ~universal), 0)
    own = found[(found["chosen"] == UNIVERSAL) & found["metric"].isin(list(METRICS))]
    assert len(own) == 8
    np.testing.assert_allclose(own["q"], stats.false_discovery_control(own["p"]))


def test_a_metric_that_is_not_there_and_no_universal_neurons() -> None:
    rng = np.random.default_rng(0)
    metrics = pd.DataFrame({**place(), **{name: rng.random(N) for name in (*METRICS, *BALANCE)}})
    metrics["in_out_sim"] = np.nan
    found = gt1(metrics, corr(rng.random(N) < 0.2, rng.random(N) < 0.2), 0).set_index("metric")
    assert found.loc["in_out_sim", "n"].tolist() == [0, 0]
    assert found.loc["in_out_sim", "p"].isna().all()
    none = np.zeros(N, dtype=bool)
    empty = gt1(metrics, corr(none, none), 0)
    assert (empty["n"] == 0).all()
    assert empty[["delta", "p", "q", "beyond"]].isna().all(axis=None)
