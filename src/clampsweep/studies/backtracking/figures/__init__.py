"""The figures of backtracking: tables in, a matplotlib figure out; no pyplot."""
