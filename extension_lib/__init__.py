"""Darkroom: teaches a Stable Diffusion checkpoint new people, things and styles."""

__version__ = "0.1.0"
