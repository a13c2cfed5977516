"""The only place where an image becomes model input."""
