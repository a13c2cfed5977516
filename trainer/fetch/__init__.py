"""Fetch the labelled pictures of a device."""
