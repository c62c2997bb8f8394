"""Toyland: a small world of drawn pictures in which the truth about every picture is known."""
