"""The HTTP API: what the page can do, for programs."""
