"""Save the state of a fit after each completed epoch, in one file that is replaced in one step."""

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
    """Everything on which the next epoch depends, except the data and the options.

    Attributes:
        rows: the history so far, one JSON object per epoch.
        variables: the model's variables, including the seeds of its dropout.
        optimizer: the optimizer's variables: its step, which decides the learning rate, and its moments.
        best: the weights of the best epoch so far.

    """

    rows: list[dict[str, Any]]
    variables: Arrays
    optimizer: Arrays
    best: Arrays


def write_state(path: Path, state: State) -> None:
    """Replace a state file. Raise TrainingError if it cannot be written; the older file is then unchanged."""
    arrays = {f"{group}_{at:04}": values for group in GROUPS for at, values in enumerate(getattr(state, group))}
    history = np.frombuffer(json.dumps(state.rows).encode(), np.uint8)
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as stream:
            np.savez(stream, allow_pickle=False, history=history, **arrays)
            stream.flush()
            os.fsync(stream.fileno())  # a power failure may occur before the system writes the data to the disk
        partial.replace(path)
    except OSError as problem:
        partial.unlink(missing_ok=True)
        raise TrainingError(
            f"{path.parent}: the state of the last epoch cannot be saved: {problem.strerror or problem}; make room, "
            "then continue from the previous epoch: edge-train train --resume RUN"
        ) from None


def read_state(path: Path) -> State | None:
    """Read a state file; return None if there is none. Raise TrainingError if it is damaged."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            groups = {group: [arrays[key] for key in sorted(arrays) if key.startswith(group)] for group in GROUPS}
            return State(json.loads(arrays["history"].tobytes()), **groups)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise TrainingError(f"{path}: damaged ({problem}); train again with --overwrite") from None


def capture(model: Model, rows: list[dict[str, Any]], best: Arrays) -> State:
    """Capture the state of a compiled model at the end of an epoch."""
    return State(
        rows,
        [np.asarray(variable) for variable in model.variables],
        [np.asarray(variable) for variable in model.optimizer.variables],
        best,
    )


def restore(model: Model, state: State, path: Path) -> None:
    """Restore a compiled model from a state. Raise TrainingError, naming `path`, if it belongs to another model."""
    model.optimizer.build(model.trainable_variables)
    for variables, values in ((model.variables, state.variables), (model.optimizer.variables, state.optimizer)):
        if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
            raise TrainingError(f"{path}: was written for another network; train again with --overwrite")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
