"""Read the options with which a RUN was trained, to train again with them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from edge_runtime.storage.json_files import read_json
from trainer.errors import TrainingError
from trainer.options import OLD_AUGMENTATIONS, Options

if TYPE_CHECKING:
    from pathlib import Path

NOT_TAKEN = ("tensorboard",)  # the logs of two runs in one folder could not be distinguished


def read_options(run: Path) -> dict[str, Any]:
    """Return a RUN's options by their names in `Options`.

    An option that the version that wrote the RUN did not have is missing.

    Raises:
        TrainingError: the folder is not a finished RUN, or an option has a value of another type.

    """
    path = run / "metrics.json"
    if not path.is_file():
        raise TrainingError(f"{run}: contains no metrics.json, so it is not a finished RUN; --from needs one")
    arguments = read_json(path, TrainingError).get("arguments")
    if not isinstance(arguments, dict):
        raise TrainingError(f"{path}: contains no arguments; train without --from")
    hints = get_type_hints(Options)
    taken: dict[str, Any] = {}
    for field in fields(Options):
        if field.name not in arguments or field.name in NOT_TAKEN:
            continue
        value = arguments[field.name]
        if not _fits(value, hints[field.name]):
            raise TrainingError(f"{path}: {field.name!r} cannot be {value!r}; train without --from")
        taken[field.name] = OLD_AUGMENTATIONS.get(value, value) if field.name == "augment" else value
    return taken


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - a type has no type of its own
    """Return whether a value has the annotated type of an option."""
    choices = get_args(hint) or (hint,)
    if isinstance(value, str):
        return str in choices or OLD_AUGMENTATIONS.get(value, value) in choices
    if isinstance(value, bool) or value is None:
        return type(value) in choices
    return isinstance(value, (int, float)) and (type(value) in choices or float in choices)
