"""Find problems of a device and say how to fix them. Standard library only: it works when nothing else does."""
