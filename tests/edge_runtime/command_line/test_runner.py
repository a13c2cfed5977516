from __future__ import annotations

from dataclasses import dataclass

import pytest

from edge_runtime.command_line.parser import CommandParser
from edge_runtime.command_line.runner import UsageError, run_command, set_action
from edge_runtime.errors import EdgeError, SourceError, one_line


@dataclass(frozen=True)
class Group:
    size: int


@dataclass(frozen=True)
class Options:
    name: str | None
    group: Group


def command(run, complete=lambda args: None):
    parser = CommandParser(prog="edge-test", example="edge-test --name a")
    parser.add_argument("--name")
    parser.add_argument("--size", type=int, default=3)
    set_action(parser, Options, run, complete=complete)
    return parser


def raising(problem):
    def run(options):
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
    assert "edge-test: error: unknown option --nonsense\n" in capsys.readouterr().err


def test_an_interrupt_is_130_and_one_line(capsys):
    assert run_command(command(raising(KeyboardInterrupt())), []) == 130
    assert capsys.readouterr().err == "edge-test: interrupted\n"


def test_one_line_is_one_line():
    assert one_line(EdgeError("a\n b\t c\r\n")) == "a b c"


def test_the_action_receives_typed_options_with_their_groups():
    seen = []
    assert run_command(command(lambda options: seen.append(options) or 0), ["--name", "a"]) == 0
    assert seen == [Options("a", Group(3))]


def test_defaults_that_depend_on_other_options_are_completed_first():
    def complete(args):
        args.size = len(args.name)

    seen = []
    run_command(command(lambda options: seen.append(options) or 0, complete), ["--name", "four"])
    assert seen == [Options("four", Group(4))]


def test_options_that_do_not_fit_together_are_a_usage_error(capsys):
    assert run_command(command(raising(UsageError("--name needs --size"))), []) == 2
    err = capsys.readouterr().err
    assert err == (
        "edge-test: error: --name needs --size\n  for example: edge-test --name a   (all options: edge-test --help)\n"
    )


@pytest.mark.parametrize("words", [["--name", "-1..1"], ["--name=-1..1"]])
def test_a_value_may_begin_with_a_minus_sign(words):
    seen = []
    assert run_command(command(lambda options: seen.append(options) or 0), words) == 0
    assert seen[0].name == "-1..1"
