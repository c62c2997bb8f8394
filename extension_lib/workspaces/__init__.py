"""The folder of a model in training: its settings, its runs and their logs."""
