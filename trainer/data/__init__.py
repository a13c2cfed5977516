"""Photographs as files: find and check them, split them, name those that look alike, draw some."""
