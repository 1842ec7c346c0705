"""Roles of neurons: who is a candidate, what happens if it is held, and its matched controls."""
