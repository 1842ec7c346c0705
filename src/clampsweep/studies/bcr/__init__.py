"""Baseline collapse recovery: collapse, recovery and harm by clamp; controls; report."""
