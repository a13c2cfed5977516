"""Tune the rules of the decision over frames on a labelled video."""
