"""AUTOMATIC1111's WebUI as a host."""
