"""GT1: the statistics that are compared, and its tables. No torch."""

from __future__ import annotations

from typing import NamedTuple

from clampsweep.tables import Column, Schema


class Metric(NamedTuple):
    """A statistic of a neuron.

    Attributes:
        what: In a few words.
        side: What the paper says of universal neurons: `greater` or `less`, else `different`.
    """

    what: str
    side: str


METRICS = {
    "kurt": Metric("kurtosis of the pre-activation", "greater"),
    "skew": Metric("skewness of the pre-activation", "greater"),
    "freq": Metric("share of pre-activations above 0", "less"),
    "bias": Metric("input bias", "less"),
    "w_in_norm": Metric("norm of the input weights", "greater"),
    "in_out_sim": Metric("cosine of input and output weights", "different"),
    "vocab_kurt": Metric("kurtosis over the vocabulary", "greater"),
    "vocab_var": Metric("variance over the vocabulary", "different"),
}
"""The eight that are tested together."""

BALANCE = {"w_out_norm": Metric("norm of the output weights, which is matched", "different")}

UNIVERSAL, CHANCE = "universal", "chance"

_DELTA = "Cliff's delta, in -1..1"

GT1 = Schema(
    "universal gt1",
    {
        "chosen": Column(
            "str", f"{UNIVERSAL}, or {CHANCE}: as many of the highest correlation by shifted text"
        ),
        "metric": Column("str", "statistic of a neuron, a column of un_stats or un_weights"),
        "n": Column("int", "chosen neurons"),
        "n_rest": Column("int", "the others"),
        "n_layers": Column("int", "layers that the chosen ones are in"),
        "median": Column("float", "median of the chosen, in the metric's unit", null=True),
        "median_rest": Column("float", "median of the others", null=True),
        "percentile": Column(
            "float", "mean percentile of the chosen within their layers, 0..100", null=True
        ),
        "delta": Column("float", f"{_DELTA}: against all others of the layer", null=True),
        "low": Column("float", "95 % interval of delta, lower end", null=True),
        "high": Column("float", "the same, upper end", null=True),
        "matched": Column("float", f"{_DELTA}: against neurons of like weights", null=True),
        "matched_low": Column("float", "95 % interval of matched, lower end", null=True),
        "matched_high": Column("float", "the same, upper end", null=True),
        "p": Column("float", "two-sided p value of matched", null=True),
        "q": Column("float", "that, corrected over the eight metrics", null=True),
        "beyond": Column("float", f"matched less that of the neurons of {CHANCE}", null=True),
        "beyond_low": Column("float", "its 95 % interval, lower end", null=True),
        "beyond_high": Column("float", "the same, upper end", null=True),
        "beyond_p": Column("float", "two-sided p value of beyond", null=True),
        "beyond_q": Column("float", "that, corrected over the eight metrics", null=True),
    },
    key=("chosen", "metric"),
)

PLACE = ["layer", "neuron"]

NEURONS = Schema(
    "universal neurons",
    {
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "neuron of the layer, from 0"),
        "n": Column("int", "positions, over all domains"),
        "mean": Column("float", "mean of the pre-activation (gate), activation units"),
        "variance": Column("float", "its unbiased variance"),
        "skew": Column("float", "its skewness", null=True),
        "kurt": Column("float", "its kurtosis, Pearson's", null=True),
        "freq": Column("float", "share of positions where it is above 0"),
        "bias": Column("float", "input bias, or what stands for it"),
        "bias_is": Column("str", "what bias is: input bias, or mean of the gate"),
        **{
            name: Column("float", "as in un_weights and un_vocab, folded", null=True)
            for name in (
                "w_in_norm", "w_out_norm", "in_out_sim", "l2_penalty",
                "vocab_mean", "vocab_var", "vocab_skew", "vocab_kurt",
            )
        },
    },
    key=("layer", "neuron"),
)  # fmt: skip

RATES = Schema(
    "universal base rates",
    {
        "rate": Column("str", "negative: bias below 0; rare: firing at fewer than half the places"),
        "bias_is": Column("str", "what bias is: input bias, or mean of the gate"),
        "share": Column("float", "share of all neurons, in 0..1", null=True),
        "n": Column("int", "neurons"),
        "share_universal": Column("float", "share of the universal ones", null=True),
        "n_universal": Column("int", "universal neurons"),
    },
    key=("rate",),
)
