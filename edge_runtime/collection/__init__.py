"""Collect pictures of a camera, keep those that are worth a label, and review them."""
