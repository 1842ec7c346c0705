"""The decoder: text for many rows at once, each with its own intervention."""
