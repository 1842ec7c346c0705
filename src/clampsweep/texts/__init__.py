"""Texts as a service: what is asked for, planned, kept, gathered and measured. No torch."""
