"""Suggest what a user meant; imported only after a usage error."""

from __future__ import annotations

import shlex
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.command_line.parser import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PACKAGES = {"edge-train": "trainer", "edge-export": "export", "edge-run": "edge_runtime"}
ALONE = frozenset({"-h", "--help", "--version"})


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most similar to a mistyped one, or begins with it; None if none is similar."""
    names = sorted(known)
    beginning = [name for name in names if len(word) > 2 and name.startswith(word.lower())]
    return next(iter(beginning or get_close_matches(word.lower(), names, 1)), None)


def check_command(program: str, words: Sequence[str], commands: Sequence[str]) -> None:
    """Check that the arguments begin with one of the commands.

    Args:
        program: "edge-run", for the text.
        words: the arguments.
        commands: the names of the program's commands.

    Raises:
        UsageError: there is no command, or options or a misspelt name are in its place.

    """
    if words and (words[0] in commands or words[0] in ALONE):
        return
    if words and words[0].startswith("-"):
        at = next((number for number, word in enumerate(words) if word in commands), None)
        if at is not None:
            moved = shlex.join([program, words[at], *words[at + 1 :], *words[:at]])
            raise UsageError(f"{words[0]} is before the command {words[at]}; options come after it", moved)
    if not words or words[0].startswith("-"):
        raise UsageError("a command is missing; the commands are " + ", ".join(commands))
    raise UsageError(*_unknown_command(program, words, commands))


def _unknown_command(program: str, words: Sequence[str], commands: Sequence[str]) -> tuple[str, str]:
    """Return the message about a word that is no command, and the command to use instead."""
    word = words[0]
    other = next((name for name in PACKAGES if name != program and _has_command(name, word)), None)
    if other:
        return f"{word} is a command of {other}", shlex.join([other, *words])
    guess = closest(word, commands)
    if guess:
        return f"unknown command {word!r}; did you mean {guess}?", shlex.join([program, guess, *words[1:]])
    if Path(word).exists():
        return f"{word!r} is a file or folder; a command is missing", shlex.join([program, commands[0], *words])
    return f"unknown command {word!r}; the commands are " + ", ".join(commands), ""


def _has_command(program: str, word: str) -> bool:
    """Return whether another program has this command: each is a file of its package's folder `commands`."""
    found = find_spec(PACKAGES[program])
    if found is None or not found.submodule_search_locations or not word.replace("-", "").isalpha():
        return False
    file = Path(found.submodule_search_locations[0], "commands", f"{word.replace('-', '_')}.py")
    return file.is_file() and "def add_parser(" in file.read_text(encoding="utf-8")
