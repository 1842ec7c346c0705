"""Sections of the summary, by slice."""
