"""Every figure of the study by its name, and what it shows. Nothing is drawn here.

A figure is the function of its name in a module beside this one: tables in, figure out; nothing is
computed but differences that a figure is of. What is seen is said in `workflow/report/scrubbing/`.
"""

from __future__ import annotations

FIGURES = {
    "recovered": "loss recovered by the named hypotheses, a panel for each category of positions",
    "coherent": "hypotheses with one coherent draw beside a draw of its own for each path",
    "heatmap": "loss recovered by every experiment in every category",
    "faithfulness": "faithfulness over the size of the hypothesis, with CPR and CMD",
    "attribution_strips": "examples whose tokens are coloured by the harm that scrubbing does",
    "attribution_scatter": "token by token, the harm of scrubbing one head against another's",
    "attention": "where an induction head looks under two experiments, and the difference",
    "cells": "the harm of scrubbing each single input of each head of layer 1",
    "heads": "where each head looks in repeated random tokens, and the roles that follow",
    "training": "losses and head scores in the course of training",
}
