"""Build the networks and load their weights."""
