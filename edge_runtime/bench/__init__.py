"""Measure every way to run a bundle on this device."""
