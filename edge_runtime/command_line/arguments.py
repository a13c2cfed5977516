"""Check that a command's arguments name what it needs: a RUN, a BUNDLE, a folder of photographs, a model.

What an argument must be follows from its metavar. A path that does not exist is left to the command.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge_runtime.command_line.parser import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

Kind = Literal["run", "bundle", "keras", "exported", "folder", "file", "missing"]

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+\S")  # pathlib shortens // to /
ARTIFACT_FILE = re.compile(r"(?:.*/)?model\.([a-z0-9]+\.(?:tflite|onnx))")
KERAS_FILES, EXPORTED_FILES = (".keras", ".h5", ".hdf5"), (".tflite", ".onnx")
PHOTOGRAPHS = (".bmp", ".heic", ".jpeg", ".jpg", ".png", ".webp")
RUN_FILES = ("spec.json", "model.keras", "holdout.npz", "training/job.json")  # the last: of an interrupted run
WHAT: dict[Kind, str] = {
    "run": "a RUN, which edge-train train writes",
    "bundle": "a BUNDLE, which edge-export writes",
    "keras": "a Keras model",
    "exported": "a model's file",
    "folder": "a folder",
    "file": "a file",
}
# What an argument may be, by its metavar.
ACCEPTED: dict[str, tuple[Kind, ...]] = {
    "BUNDLE": ("bundle", "missing"),
    "BUNDLE|TFLITE": ("bundle", "exported", "missing"),
    "RUN": ("run", "missing"),
    "RUN|MODEL": ("run", "keras", "missing"),
    "MODEL": ("exported", "keras", "file", "missing"),
    "DATA": ("folder", "file", "missing"),
}
# The command to use for what was given instead, by metavar and kind.
INSTEAD: dict[tuple[str, Kind], str] = {
    ("BUNDLE", "run"): "edge-export export {path} --out bundle",
    (
        "BUNDLE",
        "keras",
    ): "edge-export export {path} --labels labels.txt --data photos --input-range 0..255 --out bundle",
    ("BUNDLE|TFLITE", "run"): "edge-export export {path} --out bundle",
    ("BUNDLE", "exported"): "edge-export wrap {path} --labels labels.txt --out bundle",
    ("RUN", "bundle"): "edge-export verify {path}",
    ("RUN", "folder"): "edge-train train {path} --out run",
    ("RUN|MODEL", "bundle"): "edge-run inspect {path}",
    ("RUN|MODEL", "exported"): "edge-export wrap {path} --labels labels.txt --out bundle",
    ("RUN|MODEL", "folder"): "edge-train train {path} --out run",
    ("MODEL", "run"): "edge-export export {path} --out bundle",
    ("MODEL", "bundle"): "edge-export verify {path}",
    ("DATA", "run"): "edge-train evaluate {path}",
    ("DATA", "bundle"): "edge-run inspect {path}",
}


def kind_of(path: Path) -> Kind:
    """Return what a path names, judged by the names of its files; what cannot be looked at counts as missing."""
    try:
        return _kind_of(path)
    except OSError:  # a name that is too long, a folder that may not be read: the command reports it
        return "missing"


def _kind_of(path: Path) -> Kind:
    if (path / "manifest.json").is_file():
        return "bundle"
    if any((path / name).is_file() for name in RUN_FILES):
        return "run"
    if (path / "saved_model.pb").is_file():
        return "keras"
    if path.is_dir():
        return "folder"
    if not path.exists():
        return "missing"
    suffix = path.suffix.lower()
    return "keras" if suffix in KERAS_FILES else "exported" if suffix in EXPORTED_FILES else "file"


def check_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace, words: Sequence[str]) -> None:
    """Check the kinds of a subcommand's arguments.

    Args:
        parser: the subcommand's parser.
        args: the parsed arguments.
        words: the words that were parsed, from which the right command is built.

    Raises:
        UsageError: an argument names something of another kind; with the command to use instead.

    """
    program = parser.prog.split()[0]
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        value = getattr(args, action.dest, None)
        if action.dest == "artifact" and isinstance(value, str):
            _check_artifact(program, value, words)
        metavar = "DATA" if "--data" in action.option_strings else str(action.metavar)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Path) or (isinstance(one, str) and metavar in ACCEPTED):
                _check_address(program, metavar, str(one))
                if metavar in ACCEPTED and "--out" not in action.option_strings:
                    _check_kind(program, metavar, Path(one), words)


def _check_kind(program: str, metavar: str, path: Path, words: Sequence[str]) -> None:
    kind, accepted = kind_of(path), ACCEPTED[metavar]
    if kind == accepted[0] or (metavar == "DATA" and kind in accepted):
        return
    if (kind not in accepted or kind in {"missing", "file"}) and (swapped := _swapped(path, accepted[0], words)):
        raise UsageError(f"{path}: not {metavar}; the arguments are swapped", _command(program, swapped))
    if kind in accepted or (kind == "folder" and not _is_data(path)):
        return  # the command's own message says what is missing
    if metavar == "BUNDLE" and (inside := _artifact_of(path)):
        named = [str(path.parent) if Path(word) == path else word for word in words]
        raise UsageError(
            f"{path}: a file of the BUNDLE {path.parent}; name the folder",
            _command(program, [*named, "--artifact", inside]),
        )
    instead = INSTEAD.get((metavar, kind), "").format(path=_command(str(path)))
    if instead or kind == "file":
        raise UsageError(f"{path}: {WHAT[kind]}, where {metavar} is needed", instead)


def _swapped(path: Path, needed: Kind, words: Sequence[str]) -> list[str]:
    """Return the words with a path and what is needed in its place swapped; none if that is not among the words."""
    given = [at for at, word in enumerate(words) if at and Path(word) == path]
    others = [at for at, word in enumerate(words) if at and at not in given and kind_of(Path(word)) == needed]
    if len(given) != 1 or len(others) != 1:
        return []
    swapped = list(words)
    swapped[given[0]], swapped[others[0]] = words[others[0]], words[given[0]]
    return swapped


def _command(program: str, words: Sequence[str] = ()) -> str:
    """Return words as a shell would take them."""
    import shlex

    return shlex.join([program, *words])


def _artifact_of(path: Path) -> str | None:
    """Return the name of the artifact whose file in a bundle the path names, None if it names none."""
    found = ARTIFACT_FILE.fullmatch(path.name)
    return found.group(1) if found and kind_of(path.parent) == "bundle" else None


def _check_artifact(program: str, value: str, words: Sequence[str]) -> None:
    found = ARTIFACT_FILE.fullmatch(value)
    names = [found.group(1)] if found else [] if "." in value else [f"{value}.tflite", f"{value}.onnx"]
    if not names:
        return  # the bundle's own message lists what it contains
    named = [names[0] if word == value else word.replace(f"={value}", f"={names[0]}") for word in words]
    reason = "the name of a file" if found else "a precision"
    raise UsageError(
        f"--artifact {value}: {reason}; the artifact is named {' or '.join(names)}", _command(program, named)
    )


def _check_address(program: str, metavar: str, value: str) -> None:
    if not ADDRESS.match(value):
        return
    if program == "edge-run" and metavar == "BUNDLE":
        address = re.sub(":/+", "://", value, count=1)
        hint = _command(program, ["watch", "bundle", "--source", address])
        raise UsageError(f"{value}: an address, where BUNDLE is needed", hint)
    raise UsageError(f"{value}: an address, where a file or folder is needed; download it first")


def _is_data(folder: Path) -> bool:
    """Return whether a folder contains folders of photographs."""
    return any(path.suffix.lower() in PHOTOGRAPHS for path in folder.glob("*/*"))
