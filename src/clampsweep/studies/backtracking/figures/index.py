"""Every figure of the study by its name, and what it shows. Nothing is drawn here.

A figure is the function of its name in a module beside this one. What is seen is said in
`workflow/report/backtracking/`.
"""

from __future__ import annotations

FIGURES = {
    "volcano": "how far each neuron tells events from controls, and how sure that is",
    "layers": "layers of the top-ranked neurons, against as many neurons by lot",
    "discovery_test": "areas of the top-ranked neurons on the split discover and on the split test",
    "heldout": "held-out areas of neurons, directions, probes, tokens and position",
    "offsets": "held-out area of the top neurons token by token around the onset",
    "dose": "what changing more and more neurons does to the onset, over random sets",
    "damage": "effect on the onset against harm at controls, sets beside random sets",
    "rates": "shares of traces by source: right, closed, out of tokens, backtracking",
    "rates_level": "the same shares by level",
    "rates_type": "the same shares by type of problem",
    "pairs": "texts before and after the neurons are held at zero, top against random sets",
}
