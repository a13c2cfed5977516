"""The help of every subcommand: an example first, the version, basic and advanced options."""

from __future__ import annotations

import argparse
import shlex

import pytest

import edge_runtime.cli
import export.cli
import trainer.cli
from edge_runtime.command_line.parser import CommandParser

MOST_BASIC_OPTIONS = 12


def parsers():
    """Yield every subcommand's parser, with the parser of its program."""
    for program in (edge_runtime.cli._build_parser(None), export.cli.build_parser(), trainer.cli.build_parser()):
        commands = next(action for action in program._actions if isinstance(action, argparse._SubParsersAction))
        yield from (pytest.param(program, parser, id=parser.prog) for parser in commands.choices.values())


@pytest.mark.parametrize(("program", "parser"), list(parsers()))
def test_the_help_begins_with_an_example_that_can_be_parsed(program, parser):
    first, _, usage, *_ = parser.format_help().splitlines()
    assert first == f"example: {parser.example}"
    assert first.startswith(f"example: {parser.prog}")
    assert usage.startswith(f"usage: {parser.prog}")
    assert program.parse_args(shlex.split(parser.example)[1:])._parser is parser


@pytest.mark.parametrize(("program", "parser"), list(parsers()))
def test_a_few_options_are_basic_and_the_others_are_in_advanced_groups(program, parser):
    text = parser.format_help()
    basic = text[text.index("\nbasic options:") :].split("\nadvanced options")[0]
    assert sum(line.startswith("  -") for line in basic.splitlines()) <= MOST_BASIC_OPTIONS
    assert all(option in text for option in parser._option_string_actions)


@pytest.mark.parametrize(("program", "parser"), list(parsers()))
def test_every_subcommand_shows_the_version(program, parser, capsys):
    with pytest.raises(SystemExit, match="0"):
        program.parse_args([*parser.prog.split()[1:], "--version"])
    assert capsys.readouterr().out.startswith(f"{program.prog} ")


def test_without_an_example_the_necessary_arguments_are_shown():
    parser = CommandParser(prog="edge-test")
    parser.add_argument("photo", metavar="PHOTO")
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("--size")
    assert parser.shown_example() == "edge-test --out FILE PHOTO [options]"
