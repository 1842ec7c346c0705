"""Lengths of output directions against the stored matrices."""

from __future__ import annotations

import numpy as np

from clampsweep.names import Neuron
from clampsweep.studies.backtracking.output_norms import output_norms
from reference import w_out
from tiny import D_MLP, N_LAYERS


def test_norms_are_those_of_the_output_weights_of_each_neuron(model):
    found = output_norms(model)
    assert found.shape == (N_LAYERS, D_MLP) and found.dtype == np.float64
    for layer in range(N_LAYERS):
        for index in range(D_MLP):
            column = w_out(model, Neuron(layer, index)).double().numpy()
            np.testing.assert_allclose(found[layer, index], np.sqrt((column**2).sum()))
