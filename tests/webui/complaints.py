"""What the WebUI's own page complains of, with or without this extension."""

# Seen without any extension: when a width or height is changed, or an axis with a list of values is chosen in the X/Y/Z
# plot.
OWN = "Cannot read properties of undefined (reading 'props')"


def of_ours(page) -> list[str]:
    """The page's problems less the WebUI's own."""
    return [problem for problem in page.problems if problem != OWN]
