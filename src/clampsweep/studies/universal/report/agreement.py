"""The section on agreement: are neurons shared with other models, and what are those that are?"""

from __future__ import annotations

import pandas as pd

from clampsweep.markdown import join, plain, table
from clampsweep.studies.universal.agreed import Agreed
from clampsweep.studies.universal.agreed_tables import MEASURES, UNIVERSAL
from clampsweep.studies.universal.contrasts import FEW_LAYERS
from clampsweep.studies.universal.correspondence import TOKENS_ALIKE
from clampsweep.studies.universal.excess import above
from clampsweep.studies.universal.gt1_tables import CHANCE, METRICS
from clampsweep.studies.universal.gt1_tables import UNIVERSAL as CHOSEN
from clampsweep.verdicts import LEVEL
from clampsweep.words import counted, listed

# Gurnee et al. 2024, GPT2-medium-a, as its analysis code prints: universal neurons, and the rest.
PUBLISHED = {
    "kurt": "6.03 / 3.29",
    "skew": "0.935 / 0.094",
    "bias": "-0.400 / -0.184",
    "freq": "0.036 / 0.114",
    "vocab_kurt": "3.65 / 3.02",
}

_SHARES = (
    "Published, at a cut of 0.5: 1.23 % of GPT2-medium-a, 4.16 % of GPT2-small-a, 1.26 % of "
    "Pythia-160m, over 100 million tokens. There is no principled cut."
)

_ALONE = (
    "No other model is named (`agreement.others`), so that nothing here says which neurons are "
    "universal, and the original's first question is **untestable**. Base rates of all neurons, "
    "which the original reports, compare universal neurons with nothing."
)

_READING = (
    "Correlations are Pearson's, of post-activations, the highest over all neurons of the other "
    "model. *Shifted* is the same where the text is shifted in a circle within its sequences, "
    "which leaves each neuron as it is; *rotated* where each layer of the other model is rotated, "
    "by the paper's Gaussian matrix and by an orthogonal one. *Excess* is that over the Gaussian "
    "one, the paper's definition."
)

_FAR = (
    "Models of another tokenizer are compared at the characters after which both end a token: that "
    "is correspondence, and not the paper's rho."
)


def section(given: Agreed, cut: float) -> str:
    """The section in Markdown.

    Args:
        given: Tables of the slice.
        cut: Excess correlation above which a neuron is universal.
    """
    blocks = ["## Agreement with other models"]
    if len(given.corr):
        blocks += [_others(given), _READING]
        far = bool((given.pairs["aligned"] != TOKENS_ALIKE).any())
        blocks += [_FAR] * far + [_universal(given, cut), _SHARES, *_statistics(given)]
    else:
        blocks.append(_ALONE)
    blocks += [_rates(given.rates), *_persistence(given.persistence), *_ablation(given.ablation)]
    return join(blocks)


def _others(given: Agreed) -> str:
    """A line for each other model."""
    rows = []
    for other, own in given.pairs.groupby("other", sort=False):
        means = [
            own[name].mean() for name in ("corr", "baseline", "baseline_orthogonal", "shifted")
        ]
        planted = given.nulls[(given.nulls["other"] == other) & (given.nulls["kind"] == "permuted")]
        numbers = [f"{one:.3f}" for one in (*means, means[0] - means[1])]
        rows.append(
            [plain(str(other)), own["aligned"].iloc[0], f"{own['n'].iloc[0]:,}", f"{len(own):,}",
             *numbers, f"{planted['mean'].iloc[0]:.0%}"]
        )  # fmt: skip
    head = ("other model", "aligned by", "places", "neurons", "highest corr", "rotated, Gaussian",
            "rotated, orthogonal", "shifted", "excess", "permuted copy found")  # fmt: skip
    return table(head, rows)


def _universal(given: Agreed, cut: float) -> str:
    """How many neurons are universal, and by chance."""
    corr = given.corr
    n, found = len(corr), int(corr["universal"].sum())
    chance, higher = above(corr, "mean_shifted", cut), above(corr, "mean_corr", 0.5)
    orthogonal = int((corr["excess_orthogonal"] > cut).sum())
    return (
        f"**{found:,} of {n:,} neurons ({found / n:.2%}) are universal**: excess correlation above "
        f"{cut:g}, mean over {corr['n_others'].iloc[0]} models; {orthogonal:,} with orthogonal "
        f"rotations, {chance:,} by shifted text, {higher:,} above the paper's cut of 0.5. Median "
        f"excess {corr['excess_corr'].median():.3f}, 99th percentile "
        f"{corr['excess_corr'].quantile(0.99):.3f}."
    )


def _statistics(given: Agreed) -> list[str]:
    """GT1: a line a statistic."""
    if not given.corr["universal"].any():
        return ["No neuron is above the cut, so that there is nothing to compare."]
    found = given.gt1.set_index(["chosen", "metric"])
    bias = str(given.rates["bias_is"].iloc[0])
    rows = []
    for metric, about in METRICS.items():
        own, chance = (pd.Series(found.loc[(group, metric)]) for group in (CHOSEN, CHANCE))
        name = bias if metric == "bias" else about.what
        if not own["n"]:
            rows.append([plain(name), *["-"] * 7, PUBLISHED.get(metric, "-")])
            continue
        rows.append(
            [plain(name), f"{own['median']:.3g} / {own['median_rest']:.3g}",
             f"{own['percentile']:.0f}",
             f"{own['delta']:.2f} [{own['low']:.2f}, {own['high']:.2f}]",
             f"{own['matched']:.2f} [{own['matched_low']:.2f}, {own['matched_high']:.2f}]",
             f"{own['q']:.2g}", f"{chance['matched']:.2f}",
             f"{own['beyond']:.2f} [{own['beyond_low']:.2f}, {own['beyond_high']:.2f}]",
             PUBLISHED.get(metric, "-")]
        )  # fmt: skip
    head = ("statistic", "median: universal / rest", "mean percentile in its layer",
            "delta to the layer", "delta to like weights", "q", "the same, by chance",
            "difference", "published medians")  # fmt: skip
    balance = pd.Series(found.loc[(CHOSEN, "w_out_norm")])
    text = (
        "Statistics of universal neurons, within layers: Cliff's delta in -1..1 against all others "
        "of the layer, and against five each of like output weights (norm of these: delta "
        f"{balance['delta']:.2f} before matching, {balance['matched']:.2f} after). *By chance*: "
        "as many neurons of the highest correlation by shifted text. Published medians are of "
        "GPT2-medium-a; in GPT2-small-a, mean percentiles of kurtosis, skewness and bias are 84.6, "
        "85.0 and 24.0."
    )
    return [text, table(head, rows), _drawn(given), *_no_more(given)]


def _drawn(given: Agreed) -> str:
    """What the intervals are made of."""
    n = int(given.gt1["n_layers"].max())
    if n >= FEW_LAYERS:
        return f"Intervals are from {n} layers drawn anew."
    return (
        f"{counted(n, 'layer')} are too few to be drawn anew: intervals are from neurons drawn "
        "within layers, and say nothing of other models' layers."
    )


def _no_more(given: Agreed) -> list[str]:
    """Statistics that differ, but no more than those of neurons that match by chance."""
    own = given.gt1[(given.gt1["chosen"] == CHOSEN) & (given.gt1["q"] < LEVEL)]
    alike = own.loc[~(own["beyond_q"] < LEVEL), "metric"]
    if not len(alike):
        return []
    names = listed([METRICS[name].what for name in alike])
    return [
        f"Not surely of sharing itself: {names}. Neurons that match best by shifted text, be it by "
        "chance or by what a document has throughout, differ hardly less in these."
    ]


def _rates(rates: pd.DataFrame) -> str:
    """Base rates beside the original's."""
    original = {"negative": "93.3 % (91,747 of 98,304)", "rare": "50.4 % (516 of 1,024)"}
    rows = []
    for row in rates.to_dict("records"):
        what = f"{row['bias_is']} below 0" if row["rate"] == "negative" else "fires at under half"
        own = "-" if pd.isna(row["share_universal"]) else f"{row['share_universal']:.1%}"
        rows.append([plain(what), f"{row['share']:.1%}", own, original[row["rate"]]])
    return table(("base rate (vacuous)", "all neurons", "universal ones", "original"), rows)


def _persistence(found: pd.DataFrame) -> list[str]:
    """A line for each checkpoint and measure."""
    found = found[found["n"] > 0]
    if not len(found):
        return []
    rows = [
        [plain(f"{row['checkpoint']}: {MEASURES[row['measure']]}"), f"{row['median']:.3f}",
         f"{row['median_rest']:.3f}",
         f"{row['matched']:.2f} [{row['matched_low']:.2f}, {row['matched_high']:.2f}]",
         f"{row['q']:.2g}"]
        for row in found.to_dict("records")
    ]  # fmt: skip
    head = ("checkpoint", "universal, median", "others, median", "delta to like weights", "q")
    return ["Universal neurons at checkpoints of the training:", table(head, rows)]


def _ablation(found: pd.DataFrame) -> list[str]:
    """A line for each value that neurons are held at."""
    if not len(found):
        return []
    rows = []
    for held in found["held"].unique():
        own = found[found["held"] == held]
        means = own.groupby("set")[["loss", "kl"]].mean()
        others = means.drop(UNIVERSAL)
        cells = [
            f"{means.loc[UNIVERSAL, name]:.4f} / {others[name].median():.4f} "
            f"({others[name].min():.4f} to {others[name].max():.4f})"
            for name in ("loss", "kl")
        ]
        rows.append([f"held at {held!s}", *cells])
    head = ("all universal neurons", "rise of the loss, nats: universal / like weights (range)",
            "KL divergence, nats: the same")  # fmt: skip
    return ["What the model loses without its universal neurons:", table(head, rows)]
