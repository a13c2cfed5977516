"""Familiarity: fit it on features, and draw images that belong to no class, to measure it."""
