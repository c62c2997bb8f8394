"""Installing the practice model, and the check that everything needed is installed."""
