from __future__ import annotations

from edge_runtime.command_line.parser import CommandParser


def test_without_an_example_the_necessary_arguments_are_shown():
    parser = CommandParser(prog="edge-test")
    parser.add_argument("photo", metavar="PHOTO")
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("--size")
    assert parser.shown_example() == "edge-test --out FILE PHOTO [options]"
