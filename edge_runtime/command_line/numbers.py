"""Parse numbers on the command line. Each function is a `type` for argparse and raises ArgumentTypeError."""

from __future__ import annotations

import argparse
import math
import re

MAX_COUNT = 10_000  # classes, epochs, threads: a larger number is a typing error, and some libraries crash on it
MAX_INT32 = 2**31 - 1
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")
SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MAX_BYTES = 10**15
SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(B|kB|MB|GB|TB|)", re.ASCII | re.IGNORECASE)
UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
PER_MINUTE = {"": 1.0, "min": 1.0, "s": 60.0, "h": 1 / 60, "d": 1 / 1440}


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


def byte_size(text: str) -> int:
    """Parse a size such as 500MB, 2GB, 1.5GB or 100kB, in decimal units; a plain number is in bytes."""
    match = SIZE.fullmatch(text)
    size = round(float(match[1]) * UNITS[match[2].lower()]) if match else 0
    if not 0 < size <= MAX_BYTES:
        raise argparse.ArgumentTypeError(f"must be a size such as 500MB or 2GB, not {text!r}")
    return size


def per_minute(text: str) -> float:
    """Parse a rate such as 10/min, 1/s or 100/h; a plain number is per minute."""
    count, _, unit = text.partition("/")
    rate = _number(count) * PER_MINUTE.get(unit, math.nan)
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"must be a rate such as 10/min or 100/h, not {text!r}")
    return rate


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
