"""Steering by features: behaviours moved along directions, features and their transformations."""
