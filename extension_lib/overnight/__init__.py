"""Runs one after another while nobody watches: a queue that outlives its program, and sweeps."""
