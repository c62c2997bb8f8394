"""Parts of tabs: components that belong together, and what they do among themselves."""
