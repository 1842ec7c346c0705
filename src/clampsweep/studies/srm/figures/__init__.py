"""The figures of spotlight resonance: tables in, a matplotlib figure out; no pyplot."""
