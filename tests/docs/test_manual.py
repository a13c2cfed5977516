"""The commands in README.md and docs/ print what the pages show. Commands that need a Pi are only parsed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from manual import LONG_RUNNING, ROOT, blocks, contains_shown, edge_words, matches_shown, name_of, pages, shown_commands

import edge_runtime.cli
import export.cli
import trainer.cli

NAMES = [name_of(page) for page in pages()]
# Options of other programs that the text mentions.
OTHER_OPTIONS = {"--system-site-packages"}
ERROR = re.compile(r"edge-\w+: ")


def parser_of(words):
    if words[0] == "edge-run":
        return edge_runtime.cli._build_parser(words[1])
    return {"edge-train": trainer.cli.build_parser, "edge-export": export.cli.build_parser}[words[0]]()


@pytest.mark.slow
@pytest.mark.parametrize("shown", shown_commands(), ids=lambda shown: f"{shown.page}: {shown.line}")
def test_every_command_prints_the_shown_output(followed, shown):
    """Compare the output with the page.

    A page shows standard output, or the error of a command that fails. For a long-running command it shows the start
    of both streams.
    """
    result = followed[shown.page, shown.line]
    if result.missing:
        pytest.skip(f"needs {result.missing}")
    assert "Traceback" not in result.err + result.out
    if LONG_RUNNING.match(shown.line) and not result.ended:
        assert result.code == 0, result
        assert contains_shown(result.out, shown.output), result
    elif shown.output and ERROR.match(shown.output[-1]):
        assert result.code == 1, result
        assert matches_shown(result.out + result.err, shown.output), result
    else:
        assert result.code == 0, result
        assert not shown.output or matches_shown(result.out, shown.output), result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"),
    [(name_of(page), number) for page in pages() for number in range(len(blocks(page, "python")))],
)
def test_every_python_example_runs(followed, reader, name, number):
    program = blocks(ROOT / name, "python")[number]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=reader.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_commands_that_are_not_run_can_be_parsed(name):
    for block in blocks(ROOT / name, "sh"):
        for words in edge_words(block):
            parser_of(words).parse_args(words[1:])


@pytest.mark.parametrize("name", NAMES)
def test_options_mentioned_in_the_text_exist(name):
    prose = re.sub(r"^```.*?^```$", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`]+)`", prose):
        words = code.split()
        options = re.findall(r"(?<![\w-])--[a-z][\w-]*", code)
        if words[0] in {"edge-train", "edge-export", "edge-run"} and len(words) > 1:
            assert words[1] in options_by_subcommand(words[0]), code
            assert set(options) <= options_by_subcommand(words[0])[words[1]], code
        elif code.startswith("--"):
            known = {
                option
                for program in programs()
                for found in options_by_subcommand(program).values()
                for option in found
            }
            assert set(options) <= known | OTHER_OPTIONS, code


def programs():
    return ("edge-train", "edge-export", "edge-run")


def options_by_subcommand(program):
    """Return the options of each subcommand."""
    parser = parser_of([program, "--help"])
    (commands,) = (action.choices for action in parser._actions if isinstance(action.choices, dict))
    return {name: set(command._option_string_actions) for name, command in commands.items()}
