"""Backtracking neurons: found, tested on held-out events, and ablated in chains of thought."""
