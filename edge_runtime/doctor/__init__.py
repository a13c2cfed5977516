"""Find what is wrong with a device and say how to mend it. Standard library only: it works when nothing else does."""
