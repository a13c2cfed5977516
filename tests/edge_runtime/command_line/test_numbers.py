from __future__ import annotations

import argparse

import pytest

from edge_runtime.command_line.numbers import (
    fraction,
    fraction_below_one,
    integer,
    non_negative_float,
    non_negative_int,
    open_fraction,
    positive_float,
    positive_int,
)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (positive_int, "3", 3),
        (non_negative_int, "0", 0),
        (fraction, "0.5", 0.5),
        (fraction, "1", 1),
        (open_fraction, "0.5", 0.5),
        (fraction_below_one, "0", 0),
        (positive_float, "2.5", 2.5),
        (non_negative_float, "0", 0),
    ],
)
def test_a_number_in_range_is_parsed(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (positive_int, ("0", "-1", "1.5", "x", "", "9999999", "\u00b2")),
        (non_negative_int, ("-1", "1.5", "x", "", "2147483648")),
        (fraction, ("-0.1", "1.1", "nan", "x", "")),
        (open_fraction, ("0", "1", "nan", "x")),
        (fraction_below_one, ("-0.1", "1", "nan", "x")),
        (positive_float, ("0", "-1", "inf", "nan", "x")),
        (non_negative_float, ("-1", "inf", "nan", "x")),
    ],
)
def test_any_other_text_is_refused_by_naming_the_range_and_the_text(parse, texts):
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError, match=r"must be a .*number.*, not"):
            parse(text)


def test_an_integer_is_limited_on_both_sides():
    assert integer("5", 5, 6) == 5
    for text in ("4", "7"):
        with pytest.raises(argparse.ArgumentTypeError, match="from 5 to 6"):
            integer(text, 5, 6)
