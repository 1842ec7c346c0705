"""Names that the tables hold, as figures look for them.

They are those of the modules that make the tables, which compute, and need what no figure does; a
test holds them to these.
"""

from __future__ import annotations

KINDS = PRE, PRED, ONSET, WINDOW = "pre", "pred", "onset", "window"
MAIN = (PRE, PRED)  # the position kinds that claims are about
BEFORE, LAST = 12, 8  # `pre` holds the tokens from the first to the second before the sentence

TOP, CONFIRMED, PERMUTED = "top neurons", "confirmed neurons", "permuted labels"
DIRECTION, PROBE, SPARSE = "residual direction", "residual probe", "sparse probe"
UNMARKED, SPURIOUS = "hard_unmarked", "hard_spurious"
LEVEL = 0.05  # of q and p_max of a confirmed neuron

ALL = "all"  # groups of `RATES` that are no groups

BEFORE_TEXT, TOP_SET, RANDOM_SET = "before", "top", "random"  # conditions of texts before and after
