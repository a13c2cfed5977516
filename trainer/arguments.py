"""Numbers on the command line, checked as they are parsed: a bad one is a usage error."""

from __future__ import annotations

import contextlib
import math
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from edge_runtime.command import USAGE

if TYPE_CHECKING:
    import argparse

LARGEST = 2**31 - 1


def whole(text: str) -> int:
    """Parse a whole number from 0 to 2**31 - 1. Raises ArgumentTypeError."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= LARGEST:
        raise ArgumentTypeError(f"{text!r} is no whole number from 0 to {LARGEST}")
    return number


def positive_float(text: str) -> float:
    """Parse a finite number above 0. Raises ArgumentTypeError."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def inner_fraction(text: str) -> float:
    """Parse a number above 0 and below 1. Raises ArgumentTypeError."""
    number = _number(text)
    if not 0 < number < 1:
        raise ArgumentTypeError(f"{text!r} does not lie between 0 and 1")
    return number


def below_one(text: str) -> float:
    """Parse a number of at least 0 and below 1. Raises ArgumentTypeError."""
    number = _number(text)
    if not 0 <= number < 1:
        raise ArgumentTypeError(f"{text!r} is no number from 0 to below 1")
    return number


def not_negative(text: str) -> float:
    """Parse a finite number of at least 0. Raises ArgumentTypeError."""
    number = _number(text)
    if not 0 <= number < math.inf:
        raise ArgumentTypeError(f"{text!r} is no number of at least 0")
    return number


def usage_error(args: argparse.Namespace, what: str) -> int:
    """Print the usage and what is wrong with it; give the exit code. `args.misused` is its parser's `error`."""
    with contextlib.suppress(SystemExit):  # argparse's way of saying that it has printed why
        args.misused(what)
    return USAGE


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
