"""README.md and docs/, followed to the letter; what needs a Pi is read by the commands' own parsers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from manual import LASTING, ROOT, blocks, edge_words, has_shown, is_as_shown, name_of, pages, shown_commands

import edge_runtime.cli
import export.cli
import trainer.cli

NAMES = [name_of(page) for page in pages()]
# In prose, options of other programs.
OTHERS = {"--system-site-packages"}
ERROR = re.compile(r"edge-\w+: ")


def parser_of(words):
    if words[0] == "edge-run":
        return edge_runtime.cli._build_parser(words[1])
    return {"edge-train": trainer.cli.build_parser, "edge-export": export.cli.build_parser}[words[0]]()


@pytest.mark.slow
@pytest.mark.parametrize("shown", shown_commands(), ids=lambda shown: f"{shown.page}: {shown.line}")
def test_every_command_gives_what_is_shown(followed, shown):
    """Shown is standard output, or of a command that must fail its error; of one that goes on, both and no more yet."""
    ran = followed[shown.page, shown.line]
    if ran.missing:
        pytest.skip(f"needs {ran.missing}")
    assert "Traceback" not in ran.err + ran.out
    if LASTING.match(shown.line) and not ran.ended:
        assert ran.code == 0, ran
        assert has_shown(ran.out, shown.output), ran
    elif shown.output and ERROR.match(shown.output[-1]):
        assert ran.code == 1, ran
        assert is_as_shown(ran.out + ran.err, shown.output), ran
    else:
        assert ran.code == 0, ran
        assert not shown.output or is_as_shown(ran.out, shown.output), ran


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"),
    [(name_of(page), number) for page in pages() for number in range(len(blocks(page, "python")))],
)
def test_every_program_runs(followed, reader, name, number):
    program = blocks(ROOT / name, "python")[number]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=reader.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_commands_for_the_readers_own_machine_parse(name):
    for block in blocks(ROOT / name, "sh"):
        for words in edge_words(block):
            parser_of(words).parse_args(words[1:])


@pytest.mark.parametrize("name", NAMES)
def test_options_named_in_prose_exist(name):
    prose = re.sub(r"^```.*?^```$", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`([^`]+)`", prose):
        words = code.split()
        options = re.findall(r"(?<![\w-])--[a-z][\w-]*", code)
        if words[0] in {"edge-train", "edge-export", "edge-run"} and len(words) > 1:
            assert words[1] in every_option(words[0]), code
            assert set(options) <= every_option(words[0])[words[1]], code
        elif code.startswith("--"):
            known = {
                option for program in every_program() for found in every_option(program).values() for option in found
            }
            assert set(options) <= known | OTHERS, code


def every_program():
    return ("edge-train", "edge-export", "edge-run")


def every_option(program):
    """Give each subcommand's options."""
    parser = parser_of([program, "--help"])
    (commands,) = (action.choices for action in parser._actions if isinstance(action.choices, dict))
    return {name: set(command._option_string_actions) for name, command in commands.items()}
