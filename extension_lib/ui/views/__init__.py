"""HTML that the page shows: jobs, curves, grids, tables."""
