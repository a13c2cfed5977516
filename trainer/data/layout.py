"""Find the classes and files of a data folder; no file is opened."""

from __future__ import annotations

import os
import stat
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.data.parts import Part, divided
from trainer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

BACKGROUND = "background"
EXPECTED = "expected one folder per class, or train/, validation/ and test/ with one folder per class"
SIDECAR = ".json"
NOT_REGULAR = "not a regular file but a pipe, socket or device; move it to another place"


@dataclass(frozen=True)
class Found:
    """A file in a class folder, not yet opened.

    Attributes:
        path: its path.
        name: its path relative to the data folder, with forward slashes; of several folders, see `scan_all`.
        label: its class.
        part: "all" in a set that is not divided and for background images, else its part.

    """

    path: Path
    name: str
    label: str
    part: Part


@dataclass(frozen=True)
class Problem:
    """A file that is left out.

    Attributes:
        path: its name, as `Found.name`.
        reason: what is wrong with it, in one line.

    """

    path: str
    reason: str


@dataclass(frozen=True)
class Layout:
    """The classes and files of one or more data folders.

    Attributes:
        folders: the data folders.
        labels: class names, sorted; the order of the model's outputs.
        files: every file of a class, sorted by name.
        problems: entries that belong to no class.

    """

    folders: tuple[Path, ...]
    labels: tuple[str, ...]
    files: tuple[Found, ...]
    problems: tuple[Problem, ...]

    @property
    def where(self) -> str:
        """Return the names of the folders, for messages."""
        return ", ".join(map(str, self.folders))


def scan(folder: Path, *, is_one_of_several: bool = False) -> Layout:
    """List the classes and files of a data folder.

    Args:
        folder: contains one folder per class; or train/ and validation/, test/ or both (or the names in
            `trainer.data.parts`) with one folder per class. Hidden files and folders are ignored, and so are JSON files
            that belong to a photograph, because they have its name.
        is_one_of_several: whether other folders may have the other classes: then one class is enough, and class
            folders may be empty.

    Raises:
        DataError: there is no such folder, it cannot be read, it has fewer than two classes, two that differ only by
            case, or one without any file.

    """
    try:
        return _scan(folder, is_one_of_several=is_one_of_several)
    except OSError as problem:
        place = problem.filename or folder
        raise DataError(f"{place}: cannot be read: {problem.strerror}; let this user read it, or move it") from None


def _scan(folder: Path, *, is_one_of_several: bool) -> Layout:
    _check_folder(folder)
    parts = divided(folder, _folders) or {"all": folder}
    _check_same_classes(parts, fewest=1 if is_one_of_several else 2)
    found: list[Found] = []
    problems: list[Problem] = []
    for part, root in parts.items():
        for entry in _visible(root):
            if entry.is_dir():
                found += _class_files(folder, entry, part, problems, may_be_empty=is_one_of_several)
            else:
                problems.append(Problem(_name(folder, entry), "is next to the class folders, not in one of them"))
    kept = _named_in_utf8(found, problems)
    return Layout((folder,), tuple(sorted({file.label for file in found})), tuple(kept), tuple(problems))


def with_background(layout: Layout, folder: Path) -> Layout:
    """Add the class BACKGROUND: the files of a folder and its subfolders, images that show none of the classes.

    Raises:
        DataError: the folder is missing or empty, or the data has a class of that name already.

    """
    if BACKGROUND in layout.labels:
        raise DataError(
            f"{layout.where}: already has a class {BACKGROUND!r}; leave --background out or rename the class"
        )
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --background takes a folder of images of none of the classes")
    problems = list(layout.problems)
    paths = _background_files(folder, problems)
    if not paths:
        raise DataError(f"{folder}: contains no files; --background takes a folder of images of none of the classes")
    found = [Found(path, f"{BACKGROUND}/{_name(folder, path)}", BACKGROUND, "all") for path in paths]
    files = (*layout.files, *_named_in_utf8(found, problems))
    return replace(layout, labels=tuple(sorted((*layout.labels, BACKGROUND))), files=files, problems=tuple(problems))


def _background_files(folder: Path, problems: list[Problem]) -> list[Path]:
    """Return the files of a folder and its sub-folders, sorted, without hidden ones; links to folders are skipped."""
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        for entry in _without_sidecars(_listed(waiting.pop())):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif _is_special(entry):
                problems.append(Problem(f"{BACKGROUND}/{_name(folder, Path(entry.path))}", NOT_REGULAR))
            elif not entry.is_dir():
                found.append(Path(entry.path))
    return sorted(found)


def _named_in_utf8(found: list[Found], problems: list[Problem]) -> list[Found]:
    """Return the files whose names are valid text, and add the others to the problems, with printable names."""
    kept = [file for file in found if _shown(file.name) == file.name]
    problems += [
        Problem(file.name, "its name is not valid UTF-8; rename it") for file in found if _shown(file.name) != file.name
    ]
    problems[:] = [replace(problem, path=_shown(problem.path)) for problem in problems]
    return kept


def _shown(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise DataError(f"{folder}: no such folder; {EXPECTED}")
    if not folder.is_dir():
        raise DataError(f"{folder}: a file, not a folder; {EXPECTED}")


def _check_same_classes(parts: dict[Part, Path], fewest: int) -> None:
    classes = {part: {entry.name for entry in _folders(root)} for part, root in parts.items()}
    for part, root in parts.items():
        check_copies_by_case(str(root), sorted(classes[part]))
        if len(classes[part]) < fewest:
            names = ", ".join(classes[part]) or "no class folder"
            needed = "at least two classes, one folder each" if fewest > 1 else "one folder for each class"
            raise DataError(f"{root}: contains {names}; a classifier needs {needed}{_deeper(root)}")
        missing = set().union(*classes.values()) - classes[part]
        if missing:
            raise DataError(f"{root}: has no folder for class {min(missing)!r}, which another part has; add it")


def _deeper(root: Path) -> str:
    """Return a hint if the only folder contains the folders of classes or parts."""
    inner = _folders(root)
    return f"; {inner[0]} contains folders: pass that one" if len(inner) == 1 and len(_folders(inner[0])) > 1 else ""


def check_copies_by_case(where: str, names: Sequence[str]) -> None:
    """Raise DataError if two classes differ only by case, because many file systems cannot keep both."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if twin != name:
            raise DataError(f"{where}: the classes {twin!r} and {name!r} differ only by case; merge them or rename one")


def _class_files(
    folder: Path, class_folder: Path, part: Part, problems: list[Problem], *, may_be_empty: bool
) -> list[Found]:
    entries = _without_sidecars(_listed(class_folder))
    folders = {entry.name for entry in entries if _is_folder(entry)}
    if entries and len(folders) == len(entries):
        raise DataError(
            f"{class_folder}: contains only folders; move their photographs up into it, or, if they are the classes, "
            f"pass {class_folder} as the data folder"
        )
    if not entries and not may_be_empty:
        raise DataError(f"{class_folder}: an empty class folder; add photographs or remove the empty folder")
    label, within = class_folder.name, _name(folder, class_folder)
    found = []
    for entry in entries:
        name = f"{within}/{entry.name}"
        if entry.name in folders:
            problems.append(Problem(name, "a folder inside a class folder; move its photographs up"))
        elif _is_special(entry):
            problems.append(Problem(name, NOT_REGULAR))
        else:
            found.append(Found(Path(entry.path), name, label, part))
    return found


def _without_sidecars(entries: list[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    """Return the entries without the JSON files that have the name of another file: what is known about that one."""
    others = {Path(entry.name).stem for entry in entries if not entry.name.endswith(SIDECAR)}
    return [entry for entry in entries if not (entry.name.endswith(SIDECAR) and Path(entry.name).stem in others)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return the same as Path.is_dir, but ask the file system only for links."""
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a pipe, socket or device, which may block for ever when it is opened.

    A link that leads nowhere is none: it is reported when it is opened.
    """
    if entry.is_file(follow_symlinks=False):
        return False
    try:
        mode = entry.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _visible(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in _listed(folder)]


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as problem:
        raise DataError(f"{folder}: cannot be read: {problem.strerror}") from None


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.is_dir()]


def _name(folder: Path, entry: Path) -> str:
    return entry.relative_to(folder).as_posix()
