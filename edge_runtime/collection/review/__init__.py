"""Give kept frames their labels, and estimate the accuracy in the field."""
