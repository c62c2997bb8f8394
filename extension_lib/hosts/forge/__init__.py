"""Forge and its branch Neo as a host: training on a model of our own, while Forge's is unloaded."""
