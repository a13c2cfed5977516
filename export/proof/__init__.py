"""Prove that a file decides like the trained model: measure, compare, judge."""
