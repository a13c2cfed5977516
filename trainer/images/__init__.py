"""Photographs as arrays: decode them once, keep their pixels on disk, load a dataset, augment it, make batches."""
