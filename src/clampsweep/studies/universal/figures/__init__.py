"""Figures, by slice."""
