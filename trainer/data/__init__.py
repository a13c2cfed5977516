"""From a data folder to batches: find, check, decode, split, augment."""
