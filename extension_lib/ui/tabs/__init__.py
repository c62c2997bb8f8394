"""The tabs of the page, and the page as they make it up."""
