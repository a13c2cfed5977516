from __future__ import annotations

import argparse

import pytest

from edge_runtime.command import fraction, one_line, positive_int, run_command
from edge_runtime.errors import EdgeError, SourceError


def command(run):
    parser = argparse.ArgumentParser(prog="edge-test")
    parser.set_defaults(run=run)
    return parser


def raising(problem):
    def run(args):
        raise problem

    return run


def test_the_subcommands_code_is_the_exit_code():
    assert run_command(command(lambda args: 0), []) == 0
    assert run_command(command(lambda args: 1), []) == 1


def test_an_expected_failure_is_one_line_and_1(capsys):
    assert run_command(command(raising(SourceError("a.jpg:\n  damaged"))), []) == 1
    assert capsys.readouterr() == ("", "edge-test: a.jpg: damaged\n")


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(command(raising(ZeroDivisionError())), [])


def test_wrong_usage_is_2(capsys):
    assert run_command(command(lambda args: 0), ["--nonsense"]) == 2
    assert "usage: edge-test" in capsys.readouterr().err


def test_an_interrupt_is_130_and_one_line(capsys):
    assert run_command(command(raising(KeyboardInterrupt())), []) == 130
    assert capsys.readouterr().err == "edge-test: interrupted\n"


def test_one_line_is_one_line():
    assert one_line(EdgeError("a\n b\t c\r\n")) == "a b c"


def test_numbers_are_parsed_at_the_border():
    assert positive_int("3") == 3
    assert fraction("0.5") == 0.5
    for text in ("0", "-1", "1.5", "x", "", "9999999"):
        with pytest.raises(argparse.ArgumentTypeError, match="whole number"):
            positive_int(text)
    for text in ("-0.1", "1.1", "nan", "x", ""):
        with pytest.raises(argparse.ArgumentTypeError, match=r"0\.\.1"):
            fraction(text)
