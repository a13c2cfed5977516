"""The usage of all three commands: help, version, and usage errors that name the command to use."""

from __future__ import annotations

import argparse
import json
import shlex

import pytest

import edge_runtime.cli
import export.cli
import trainer.cli

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


MAINS = {"edge-run": edge_runtime.cli.main, "edge-export": export.cli.main, "edge-train": trainer.cli.main}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Make a folder with one thing of each kind, and work in it."""
    for name in ("bundle", "run", "unfinished/training", "photos/cat", "saved", "empty"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("bundle/manifest.json", "run/spec.json", "unfinished/training/job.json"):
        (tmp_path / name).write_text(json.dumps({}))
    for name in (
        "bundle/model.int8.tflite",
        "saved/saved_model.pb",
        "model.keras",
        "model.onnx",
        "labels.txt",
        "a.jpg",
        "photos/cat/1.jpg",
    ):
        (tmp_path / name).write_bytes(b"content")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("given", "wrong", "instead"),
    [
        ("edge-run classify a.jpg bundle", "swapped", "edge-run classify bundle a.jpg"),
        ("edge-run classify photos bundle --json", "swapped", "edge-run classify bundle photos --json"),
        ("edge-run watch 0 --source bundle", "swapped", "edge-run watch bundle --source 0"),
        ("edge-run tune-decision v.mp4 ./bundle/ --labels x", "swapped", "tune-decision ./bundle/ v.mp4 --labels x"),
        ("edge-run classify run a.jpg", "a RUN", "edge-export export run --out bundle"),
        ("edge-run bench unfinished", "a RUN", "edge-export export unfinished --out bundle"),
        ("edge-run inspect model.keras", "a Keras model", "edge-export export model.keras --labels"),
        ("edge-run inspect saved", "a Keras model", "edge-export export saved --labels"),
        ("edge-run inspect model.onnx", "a model's file", "edge-export wrap model.onnx --labels"),
        ("edge-run classify a.jpg a.jpg", "a file", "edge-run classify bundle photos/"),
        (
            "edge-run classify bundle/model.int8.tflite a.jpg",
            "a file of the BUNDLE bundle",
            "edge-run classify bundle a.jpg --artifact int8.tflite",
        ),
        ("edge-run classify rtsp://cam/1 a.jpg", "an address", "edge-run watch bundle --source rtsp://cam/1"),
        ("edge-run classify bundle http://cam/1", "an address", "edge-run watch bundle --source http://cam/1"),
        ("edge-run inspect bundle --artifact int8", "unknown option --artifact", "edge-run inspect bundle"),
        ("edge-run selftest bundle --artifact int8", "int8.tflite or int8.onnx", "--artifact int8.tflite"),
        ("edge-run classify bundle a.jpg --artifact=model.int8.onnx", "a file", "bundle a.jpg --artifact=int8.onnx"),
        ("edge-run serve bundle --source 0 --artifact bundle/model.float16.tflite", "", "--artifact float16.tflite"),
        ("edge-export export bundle --out new", "a BUNDLE", "edge-run inspect bundle"),
        ("edge-export export photos --out new", "a folder", "edge-train train photos --out run"),
        ("edge-export export new --out run", "swapped", "edge-export export run --out new"),
        ("edge-export export model.onnx --out new", "a model's file", "edge-export wrap model.onnx"),
        ("edge-export verify run", "a RUN", "edge-export export run --out bundle"),
        ("edge-export wrap run --labels labels.txt --out new", "a RUN", "edge-export export run --out bundle"),
        ("edge-export wrap labels.txt --labels model.onnx --out b", "swapped", "wrap model.onnx --labels labels.txt"),
        ("edge-export wrap https://x.org/m.tflite --labels labels.txt --out b", "an address", "edge-export wrap"),
        ("edge-export wrap model.onnx --labels https://x.org/l.txt --out b", "an address", "edge-export wrap"),
        ("edge-train train run --out new", "a RUN", "edge-train evaluate run"),
        ("edge-train explore bundle", "a BUNDLE", "edge-run inspect bundle"),
        ("edge-train train https://x.org/photos.zip --out new", "an address", "edge-train train"),
        ("edge-train evaluate bundle", "a BUNDLE", "edge-export verify bundle"),
        ("edge-train evaluate photos", "a folder", "edge-train train photos --out run"),
        ("edge-train evaluate run --data run", "a RUN", "edge-train evaluate run"),
        ("edge-train describe bundle", "a BUNDLE", "edge-run inspect bundle"),
        ("edge-train train --resume bundle", "a BUNDLE", "edge-export verify bundle"),
        ("edge-run photos bundle", "a file or folder", "edge-run classify photos bundle"),
        ("edge-run export run --out b", "a command of edge-export", "edge-export export run --out b"),
        ("edge-export trian photos", "unknown command 'trian'", "edge-export export"),
        ("edge-train classify bundle a.jpg", "a command of edge-run", "edge-run classify bundle a.jpg"),
        ("edge-train evalute run", "did you mean evaluate?", "edge-train evaluate run"),
        ("edge-train --seed 3 train photos --out r", "before the command", "edge-train train photos --out r --seed 3"),
        ("edge-run --artifact int8.tflite classify b x", "before", "edge-run classify b x --artifact int8.tflite"),
        ("edge-export --overwrite", "a command is missing", "edge-export export run --out bundle"),
        ("edge-train train photos --oot run", "did you mean --out?", "edge-train train photos --out run"),
        ("edge-run watch bundle --sorce 0", "did you mean --source?", "edge-run watch bundle --source 0"),
        ("edge-run watch bundle 0", "--source missing", "edge-run watch bundle --source 0"),
        ("edge-run inspect bundle other", "unexpected argument 'other'", "edge-run inspect bundle"),
    ],
)
def test_a_usage_error_is_two_lines_with_the_command_to_use(place, capsys, given, wrong, instead):
    program, *words = given.split()
    assert MAINS[program](words) == 2
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == ""
    assert first.startswith(program)
    assert wrong in first
    assert instead in second


@pytest.mark.parametrize("words", ["edge-run inspect", "edge-export verify", "edge-train evaluate"])
def test_a_name_that_is_too_long_is_one_line(capsys, words):
    program, command = words.split()
    assert MAINS[program]([command, "x" * 300]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(program)]
    assert len(lines) == 1
    assert lines[0].endswith("File name too long")
