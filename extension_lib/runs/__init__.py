"""A run from the press of a button to its files."""
