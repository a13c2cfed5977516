"""The documentation, the help and the messages use plain technical English; `REPLACEMENTS` lists the words to avoid."""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
from typing import NamedTuple

import pytest
from manual import ROOT, name_of

import edge_runtime.cli
import export.cli
import trainer.cli

# A regular expression for each word or phrase to avoid, and what to write instead. Case is ignored.
REPLACEMENTS = {
    # words
    r"told|tells?|telling": "report, state, print, show or distinguish",
    r"mend(s|ed|ing)?": "fix or repair",
    r"heeds?|heeded": "use, apply or respect",
    r"reckon(s|ed|ing)?": "compute or estimate",
    r"shall": "must or will",
    r"anew": "again",
    r"wholly": "completely",
    r"barren": "without results, or name what is missing",
    r"chatter": "log messages",
    r"rungs?": "fallback or option",
    r"strangers?": "unrelated or independent",
    r"no(body|-one)|somebody": "no user, no program, or the passive voice",
    r"beside": "next to, or in addition to",
    r"feels?": "report or measure",
    r"brings?": "installs or contains",
    r"twins?": "copy or near-duplicate",
    # phrases
    r"so many": "the number, or many",
    r"lets go of|let go of": "release or close",
    r"no such kind": "not a valid kind",
    r"for want of": "because ... is missing",
    r"stands? (beside|behind|under|in it)": "is",
    r"may lack": "may not have",
    r"in work": "being processed",
    r"in the place of": "instead of",
    r"must do without": "does not have",
    r"as said": "name it",
    r"(row|line|entry|byte|bytes|bits?) an? (file|image|pixel|class|frame|epoch|channel|value)": "per",
    r"who (looks|asks|reads|wants)": "a viewer, a client, a reader or a user that ...",
    r"the article's": "the baseline, or standard",
}
# Docstrings are imperative, and use the verbs of the field.
FIRST_WORDS = re.compile(r"(Gives?|Tells?|Says?|Lets?|Returns|Raises|Writes|Reads|Computes|Checks)\b")
FIRST_WORD_REPLACEMENT = "Return, Write, Compute, Check, ..."

PACKAGES = ("edge_runtime", "trainer", "export")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted(path for path in (ROOT / "edge_runtime" / "web").glob("**/static/*") if path.suffix != ".svg"),
    *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("templates/*.html"))),
]
PATTERNS = [
    (re.compile(rf"(?<![\w-])({word})(?![\w-])", re.IGNORECASE), replacement)
    for word, replacement in REPLACEMENTS.items()
]


class Text(NamedTuple):
    """A piece of text and the number of its first line in the file."""

    line: int
    text: str


def texts_of_source(source):
    """Yield the string literals, docstrings and comments of a Python file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield Text(node.lineno, node.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(token.start[0], token.string)


def docstrings_of_source(source):
    """Yield the docstrings of functions and methods; those of classes and modules need not be imperative."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node)):
            yield Text(node.lineno, text)


def words_to_replace(texts):
    """Return one line for each word to avoid: its line number, the word and what to write instead."""
    found = []
    for first_line, text in texts:
        for pattern, replacement in PATTERNS:
            for match in pattern.finditer(text):
                line = first_line + text.count("\n", 0, match.start())
                found.append(f"line {line}: {' '.join(match.group().split())!r}; write: {replacement}")
    return found


def verbs_to_replace(docstrings):
    """Return one line for each docstring that begins with a verb to avoid."""
    return [
        f"line {line}: {match.group()!r}; write: {FIRST_WORD_REPLACEMENT}"
        for line, text in docstrings
        if (match := FIRST_WORDS.match(text))
    ]


def parsers():
    """Yield the name and the parser of every subcommand."""
    for name, parser in {
        "edge-run": edge_runtime.cli._build_parser(None),
        "edge-train": trainer.cli.build_parser(),
        "edge-export": export.cli.build_parser(),
    }.items():
        yield name, parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from ((f"{name} {command}", subparser) for command, subparser in action.choices.items())


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_source_files_use_plain_words(path):
    source = path.read_text(encoding="utf-8")
    found = [*words_to_replace(texts_of_source(source)), *verbs_to_replace(docstrings_of_source(source))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_pages_use_plain_words(path):
    found = words_to_replace([Text(1, path.read_text(encoding="utf-8"))])
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("name", "parser"), [pytest.param(*item, id=item[0]) for item in parsers()])
def test_help_uses_plain_words(name, parser):
    found = words_to_replace([Text(1, " ".join(parser.format_help().split()))])
    assert not found, "\n".join(found)


def test_words_are_found_in_strings_docstrings_and_comments():
    source = '''
def f(path):
    """Tell whether a file can be mended."""
    # for want of a better name
    return f"{path}: so many frames"
'''
    found = " ".join(words_to_replace(texts_of_source(source)))
    assert all(word in found for word in ("'Tell'", "'mended'", "'for want of'", "'so many'"))
    assert len(verbs_to_replace(docstrings_of_source(source))) == 1


@pytest.mark.parametrize("word", ["recommend", "shallow", "besides", "foretold", "wrung", "hidden-rung-name"])
def test_similar_words_are_allowed(word):
    assert words_to_replace([Text(1, f"one {word} two")]) == []
