"""Drawing without a WebUI: samplers, prompt tags, and files merged into the model."""
