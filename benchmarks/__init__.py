"""Darkroom beside itself and others, on the same work."""
