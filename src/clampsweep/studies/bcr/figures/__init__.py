"""The figures of baseline collapse recovery: tables in, a matplotlib figure out; no pyplot."""
