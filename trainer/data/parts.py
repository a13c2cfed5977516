"""Recognize a data folder that is already divided into train/, validation/ and test/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from trainer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    List = Callable[[Path], list[Path]]

Part = Literal["all", "train", "validation", "test"]

# The folder names of published sets, in lower case: Keras' tutorials, ImageFolder, Roboflow, Hugging Face, Kaggle.
NAMES: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training", "training_set", "train_set"),
    "validation": ("validation", "val", "valid", "dev", "validation_set", "val_set", "dev_set"),
    "test": ("test", "testing", "test_set"),
}
PARTS: tuple[Part, ...] = ("train", "validation", "test")


def divided(folder: Path, folders_in: List) -> dict[Part, Path] | None:
    """Return the folders of a divided set's parts.

    Args:
        folder: the data folder.
        folders_in: lists the visible folders in a folder.

    Returns:
        None unless there is a folder for training and one for validation or test, each with folders in it. A part may
        be nested in a folder of its own name, as Kaggle's are.

    Raises:
        DataError: it is divided, but two folders are the same part, or another folder is next to them.

    """
    folders = folders_in(folder)
    named = [(part, entry) for entry in folders if (part := _part_of(entry.name)) and folders_in(_nested(entry))]
    parts = {part for part, _ in named}
    if "train" not in parts or len(parts) < 2:
        _refuse_held_out_alone(folder, named, folders)
        return None
    found: dict[Part, Path] = {}
    for part, entry in named:
        if part in found:
            raise DataError(
                f"{entry}: {found[part].name}/ and {entry.name}/ both look like the {part} photographs; "
                "merge them, or move one to another place"
            )
        found[part] = entry
    others = [entry for entry in folders if entry not in found.values()]
    if others:
        known = " and ".join(f"{found[part].name}/" for part in PARTS if part in found)
        raise DataError(f"{others[0]}: a folder next to {known}; move it to another place")
    return {part: _nested(found[part]) for part in PARTS if part in found}


def _refuse_held_out_alone(folder: Path, named: list[tuple[Part, Path]], folders: list[Path]) -> None:
    """Raise DataError if every folder is a part with class folders, but the set cannot be used as a divided one."""
    if not named or len(named) < len(folders):
        return
    (part, entry), *others = named
    if part == "train" and not others:
        raise DataError(
            f"{folder}: contains only {entry.name}/; pass {entry} as the data folder: "
            "validation and test photographs are then taken from it"
        )
    raise DataError(
        f"{folder}: contains {', '.join(f'{entry.name}/' for _, entry in named)} but no train/; rename the folder of "
        "the training photographs to train, or pass one folder with one folder per class"
    )


def _part_of(name: str) -> Part | None:
    return next((part for part, names in NAMES.items() if name.lower() in names), None)


def _nested(entry: Path) -> Path:
    inner = entry / entry.name
    return inner if inner.is_dir() else entry
