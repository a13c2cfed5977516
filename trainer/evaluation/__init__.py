"""Measure how good a model is: scores, calibration, plots."""
