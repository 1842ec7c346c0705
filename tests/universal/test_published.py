"""Published tables: excerpts of the six, and a tiny GPT-2 as their authors' code would tell of it.

The excerpts are rows of `dataframes/interpretable_neurons/` of wesg52/universal-neurons (MIT).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clampsweep import ledger
from clampsweep.errors import UserError
from clampsweep.models.bridge import boot, process
from clampsweep.models.loading import load
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.universal.claims.reference import claims
from clampsweep.studies.universal.published import (
    COMPARED,
    FROM_WEIGHTS,
    compare,
    differences,
    identities,
    read_published,
)
from clampsweep.studies.universal.report.reference import section
from clampsweep.studies.universal.vocabulary import vocabulary
from clampsweep.studies.universal.weights import weights

EXCERPTS = Path(__file__).parent / "published"
LABELS = EXCERPTS / "gpt2-medium-a-prediction_neurons.csv"
OLDER = EXCERPTS / "gpt2-small-a-high_excess_correlation.csv"
UNIVERSAL = sorted(EXCERPTS.glob("*-universal.csv"))
WITH_NUMBERS = sorted(set(EXCERPTS.glob("*.csv")) - {LABELS})


# ---- the six


@pytest.mark.parametrize("path", WITH_NUMBERS, ids=lambda path: path.stem)
def test_a_published_table_is_read_whole_and_its_identities_hold(path):
    found = read_published(path)
    assert {"layer", "neuron", *COMPARED, "mean", "var", "skew", "kurt", "sparsity"} <= set(found)
    assert len(found) == len(path.read_text().splitlines()) - 1
    assert not any(name.startswith("Unnamed") for name in found)
    assert found.set_index(["layer", "neuron"]).index.is_monotonic_increasing
    off = dict(identities(found))
    assert off.pop("l2_penalty = w_in_norm^2 + w_out_norm^2") < 1e-12
    assert list(off) == (["excess_corr = mean_corr - mean_baseline"] * (path in UNIVERSAL))
    assert all(value < 1e-12 for value in off.values())


def test_the_older_excess_correlation_is_not_held_to_the_newer_definition():
    found = read_published(OLDER)
    assert "mean_corr" not in found and "excess_corr" in found
    older = found["min_corr"] - found["max_baseline"]  # as far as their four digits go
    assert found["excess_corr"].to_numpy() == pytest.approx(older.to_numpy(), abs=6e-4)


def test_the_table_of_labels_has_a_row_for_each_label():
    found = read_published(LABELS)
    assert list(found) == ["layer", "neuron", "feature", "is_surpress"]
    assert found["is_surpress"].dtype == bool
    assert found.duplicated(["layer", "neuron"]).sum() == 6


def test_two_releases_of_one_models_table_agree_within_the_tolerance():
    new, old = (
        read_published(path).set_index(["layer", "neuron"])
        for path in (EXCERPTS / "gpt2-small-a-universal.csv", OLDER)
    )
    both = new.index.intersection(old.index)
    assert len(both) == 10 and len(old) == 12
    for name in COMPARED:
        off = differences(old.loc[both, name].to_numpy(), new.loc[both, name].to_numpy())
        assert off.max() < 1
        assert (off.max() == 0) == (name in ("w_in_norm", "w_out_norm", "input_bias", "in_out_sim"))
    assert (new.loc[both, "vocab_kurt"] - old.loc[both, "vocab_kurt"]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no CSV table"),
        ("a,b\n1,2\n", "no column 'layer'; it has a, b"),
        ("layer,neuron,kurt\n", "no neurons in it"),
        ("layer,neuron\n0,1.5\n", "'neuron' does not hold whole numbers"),
        ("layer,neuron\n-1,1\n", "'layer' does not hold whole numbers"),
        ("layer,neuron,vocab_kurt\n0,1,3\n0,2,x\n", "row 2 of the neurons has 'x'"),
        ("layer,neuron,w_in_norm\n0,1,\n", "'w_in_norm' does not hold a number"),
        ("layer,neuron,w_in_norm,w_out_norm,l2_penalty\n0,1,3,4,26\n", "l2_penalty = "),
        ("layer,neuron,mean_corr,mean_baseline,excess_corr\n0,1,0.9,0.2,0.6\n", "excess_corr = "),
        (b"layer,neuron\n0,\xff\n", "no CSV table"),
    ],
)
def test_what_is_no_published_table_is_refused(tmp_path, content, said):
    path = tmp_path / "neurons.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        read_published(path)
    line = str(caught.value)
    assert said in line and str(path) in line and "\n" not in line


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_published(tmp_path / "none.csv")


# ---- compared with a model


@pytest.fixture(scope="module")
def own(gpt2):
    """The tables of the tiny GPT-2 by this study."""
    return weights(gpt2), vocabulary(gpt2, 1, 0)[0]


@pytest.fixture(scope="module")
def theirs(gpt2, tiny_folder):
    """Its neurons as TransformerLens processes them and the published code measures them."""
    folder, _ = tiny_folder("gpt2")
    bridge = boot(folder, gpt2.dtype, gpt2.device, "test")
    process(bridge, "test")
    tokens = bridge.W_U.detach().double().numpy()  # [d_model, token]
    units = tokens / np.linalg.norm(tokens, axis=0)
    frames = []
    for layer in range(gpt2.n_layers):
        block = bridge.blocks[layer].mlp
        reads, writes = (part.detach().double().numpy() for part in (block.W_in, block.W_out))
        sizes = np.linalg.norm(reads, axis=0), np.linalg.norm(writes, axis=1)
        cosines = writes @ units / sizes[1][:, None]
        columns = {
            "w_in_norm": sizes[0],
            "input_bias": block.b_in.detach().double().numpy(),
            "w_out_norm": sizes[1],
            "in_out_sim": (reads.T * writes).sum(1) / sizes[0] / sizes[1],
            "l2_penalty": sizes[0] ** 2 + sizes[1] ** 2,
            "vocab_mean": cosines.mean(1),
            "vocab_var": cosines.var(1),
            "vocab_skew": stats.skew(cosines, axis=1),
            "vocab_kurt": stats.kurtosis(cosines, axis=1, fisher=False),
        }
        frames.append(pd.DataFrame({"layer": layer, "neuron": range(len(writes)), **columns}))
    return pd.concat(frames, ignore_index=True)


def written(path, table, older):
    """A published table with the oddities of theirs."""
    columns = {"w_in_norm": "input_weight_norm", "w_out_norm": "output_weight_norm",
               "l2_penalty": "weight_norm_penalty"}  # fmt: skip
    if older:  # saved with its index, older names, another order
        table = table.rename(columns=columns).iloc[::-1]
    digits = table.astype({name: "float32" for name in table.columns[2:] if "penalty" not in name})
    digits.to_csv(path, index=older)
    return read_published(path)


@pytest.mark.parametrize("older", [False, True])
def test_ours_are_theirs_on_the_same_weights(own, theirs, tmp_path, older):
    path = tmp_path / "neurons.csv"
    some = theirs.iloc[::3]
    found = compare(written(path, some, older), *own, 0, str(path)).set_index("column")
    assert list(found.index) == list(COMPARED)
    assert (found["n_within"] == found["n"]).all() and (found["n"] == len(some)).all()
    assert (found["largest"] < 0.5).all() and (found["correlation"] > 0.999).all()
    assert (found["dealt"] < 0.2).drop(["vocab_mean", "vocab_var"]).all()


def test_weights_that_are_not_the_same_do_not_come_out(own, theirs, load_tiny, tmp_path):
    published = written(tmp_path / "neurons.csv", theirs, older=False)
    other = load_tiny("gpt2", 1)
    found = compare(published, weights(other), vocabulary(other, 1, 0)[0], 0, "neurons.csv")
    concluded = ledger.conclusions(claims(found))
    assert (found["n_within"] < 0.5 * found["n"]).all()
    assert set(concluded.verdicts["verdict"]) == {"contradicted"}


def test_claims_and_section_say_what_agrees(own, theirs, tmp_path):
    published = written(tmp_path / "neurons.csv", theirs, older=False)
    found = compare(published, *own, 0, "neurons.csv")
    concluded = ledger.conclusions(claims(found))
    assert set(concluded.verdicts["verdict"]) == {"supported"}
    assert list(concluded.verdicts["subject"]) == list(COMPARED)
    ledger.write(concluded, tmp_path / "verdicts.parquet", tmp_path / "ledger.parquet", {})
    text = section(concluded.verdicts, found, "neurons.csv")
    assert text.startswith("## ") and text.count("100.0 %") >= len(COMPARED)
    assert all(f"`{name}`" in text for name in COMPARED)


def test_a_table_with_some_of_the_statistics_is_compared_by_these(own, theirs):
    found = compare(theirs[["layer", "neuron", "vocab_kurt"]], *own, 0, "neurons.csv")
    assert list(found["column"]) == ["vocab_kurt"]


def test_a_statistic_that_the_model_does_not_have_agrees_nowhere(llama, theirs):
    table, tokens = weights(llama), vocabulary(llama, 1, 0)[0]  # no bias in it
    found = compare(theirs, table, tokens, 0, "neurons.csv").set_index("column")
    assert found.loc["input_bias", "n_within"] == 0
    assert found.loc["input_bias", "largest"] == np.inf
    assert np.isnan(found.loc["input_bias", "correlation"])


def test_tables_of_labels_or_of_another_model_are_refused(own):
    with pytest.raises(UserError, match=r"no statistic of weights.*universal\.csv"):
        compare(read_published(LABELS), *own, 0, str(LABELS))
    with pytest.raises(UserError, match=r"has neuron L\d+N\d+, and the entry's model has none"):
        compare(read_published(OLDER), *own, 0, str(OLDER))


def test_a_differences_size_is_a_share_of_what_it_may_be():
    published, found = np.array([1.0, 0.0, 2.0, 1.0]), np.array([1.0003, 2e-4, 2.0, np.nan])
    assert differences(published, found) == pytest.approx([1, 1, 0, np.inf])


# ---- with the hub's weights


PLACE = "CLAMPSWEEP_GPT2_SMALL_A"


@pytest.mark.skipif(PLACE not in os.environ, reason=f"{PLACE} names no fetched model's folder")
def test_the_published_models_weights_give_the_published_table():
    """Of stanford-crfm/alias-gpt2-small-x21, as the workflow fetches it."""
    spec = ModelSpec(
        where="test", name="gpt2-small-a", source="path", licence="Apache-2.0", n_layers=12,
        d_mlp=3072, dtype="float32", prepend_bos=False, weight_processing="none",
    )  # fmt: skip
    model = load(Path(os.environ[PLACE]), spec, threads=1, device="cpu")
    table, tokens = weights(model), vocabulary(model, 1, 0)[0]
    for path in (EXCERPTS / "gpt2-small-a-universal.csv", OLDER):
        found = compare(read_published(path), table, tokens, 0, str(path))
        assert (found["n_within"] == found["n"]).all()
        assert set(FROM_WEIGHTS) <= set(found["column"])
