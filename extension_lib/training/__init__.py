"""The loop, and what it needs: optimiser, files, jobs."""
