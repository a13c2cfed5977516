"""Measure a bundle on this device with every artifact, backend and number of threads."""
