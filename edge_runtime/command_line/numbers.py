"""Parse numbers on the command line. Each function is a `type` for argparse and raises ArgumentTypeError."""

from __future__ import annotations

import argparse
import math

MAX_COUNT = 10_000  # classes, epochs, threads: a larger number is a typing error, and some libraries crash on it
MAX_INT32 = 2**31 - 1


def integer(text: str, low: int, high: int) -> int:
    """Parse a whole number from `low` to `high`."""
    value = int(text) if text.isascii() and text.isdigit() else -1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}, not {text!r}")
    return value


def positive_int(text: str) -> int:
    """Parse a whole number from 1 to MAX_COUNT."""
    return integer(text, 1, MAX_COUNT)


def non_negative_int(text: str) -> int:
    """Parse a whole number from 0 to 2**31 - 1."""
    return integer(text, 0, MAX_INT32)


def fraction(text: str) -> float:
    """Parse a number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, not {text!r}")
    return value


def open_fraction(text: str) -> float:
    """Parse a number above 0 and below 1."""
    value = _number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must be a number above 0 and below 1, not {text!r}")
    return value


def fraction_below_one(text: str) -> float:
    """Parse a number of at least 0 and below 1."""
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0 and below 1, not {text!r}")
    return value


def positive_float(text: str) -> float:
    """Parse a finite number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def non_negative_float(text: str) -> float:
    """Parse a finite number of at least 0."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, not {text!r}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
