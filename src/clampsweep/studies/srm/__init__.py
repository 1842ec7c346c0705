"""Spotlight resonance mapping: mean activation vectors in a plane, seen angle by angle."""
