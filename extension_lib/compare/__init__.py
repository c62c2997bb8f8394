"""Pictures side by side: which weight, which step."""
