"""The explorer: see and try what a neuron does, in the browser (`make explore`, docs/explorer.md).

It only calls public functions of the library: the same decoder, metrics and tables as the workflow.
"""
