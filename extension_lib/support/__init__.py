"""Tools that know nothing of this field: files, TOML, seeds, lazy tensors, autocast."""
