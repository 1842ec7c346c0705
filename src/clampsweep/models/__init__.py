"""Models: where they come from, loading them, their activations."""
