"""What a person may set for a run, and where its first values come from."""
