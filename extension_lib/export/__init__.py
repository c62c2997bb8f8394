"""The files that Darkroom writes, one format per file."""
