"""The figures of causal scrubbing: tables in, a matplotlib figure out; no pyplot."""
