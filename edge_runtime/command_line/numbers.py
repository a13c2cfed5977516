"""Parse numbers on the command line. Each function is a `type` for argparse and raises ArgumentTypeError."""

from __future__ import annotations

import argparse
import math
import re

MAX_COUNT = 10_000  # classes, epochs, threads: a larger number is a typing error, and some libraries crash on it
MAX_INT32 = 2**31 - 1
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")
SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


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


def duration_s(text: str) -> float:
    """Parse a time above 0, such as 90, 90s, 10m, 1h or 2d, and return seconds."""
    found = DURATION.fullmatch(text)
    seconds = float(found[1]) * SECONDS[found[2]] if found else 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"must be a time such as 90s, 10m, 1h or 2d, not {text!r}")
    return seconds


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
