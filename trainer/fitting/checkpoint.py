"""Where a fit stands after its last whole epoch, in one file that is replaced at once, so that a kill loses no more."""

from __future__ import annotations

import json
import os
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trainer.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from trainer.networks.models import Model

    Arrays = list[NDArray[Any]]

GROUPS = ("variables", "optimizer", "best")


class State(NamedTuple):
    """All that the next epoch depends on, beside the data and the options.

    Attributes:
        rows: the history so far, a JSON object an epoch.
        variables: the model's, the seeds of its dropout included.
        optimizer: the optimizer's: its step, which the learning rate follows from, and its moments.
        best: the weights of the best epoch so far.

    """

    rows: list[dict[str, Any]]
    variables: Arrays
    optimizer: Arrays
    best: Arrays


def write_state(path: Path, state: State) -> None:
    """Replace a state file. Raises TrainingError where it cannot be written; the older file then still stands."""
    arrays = {f"{group}_{at:04}": values for group in GROUPS for at, values in enumerate(getattr(state, group))}
    history = np.frombuffer(json.dumps(state.rows).encode(), np.uint8)
    beside = path.with_suffix(".partial")
    try:
        with beside.open("wb") as stream:
            np.savez(stream, allow_pickle=False, history=history, **arrays)
            stream.flush()
            os.fsync(stream.fileno())  # a power cut may come before the system writes by itself
        beside.replace(path)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise TrainingError(
            f"{path.parent}: the last epoch cannot be kept: {problem.strerror or problem}; make room, "
            "then go on from the one before: edge-train train --resume RUN"
        ) from None


def read_state(path: Path) -> State | None:
    """Read a state file; None where there is none. Raises TrainingError where it is damaged."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            groups = {group: [arrays[key] for key in sorted(arrays) if key.startswith(group)] for group in GROUPS}
            return State(json.loads(arrays["history"].tobytes()), **groups)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise TrainingError(f"{path}: damaged ({problem}); train again with --overwrite") from None


def capture(model: Model, rows: list[dict[str, Any]], best: Arrays) -> State:
    """Take the state of a compiled model at the end of an epoch."""
    return State(
        rows,
        [np.asarray(variable) for variable in model.variables],
        [np.asarray(variable) for variable in model.optimizer.variables],
        best,
    )


def restore(model: Model, state: State, path: Path) -> None:
    """Bring a compiled model to a state. Raises TrainingError, naming `path`, where it is another model's."""
    model.optimizer.build(model.trainable_variables)
    for variables, values in ((model.variables, state.variables), (model.optimizer.variables, state.optimizer)):
        if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
            raise TrainingError(f"{path}: belongs to another network; train again with --overwrite")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
