"""The trainer's errors that a user can mend; `edge-train` shows each in one line."""

from __future__ import annotations

from edge_runtime.errors import EdgeError


class DataError(EdgeError):
    """A data folder that cannot be trained on: the message names the folder, what is wrong and the mend."""


class TrainingError(EdgeError):
    """Training or evaluation that cannot go on: missing weights, a diverged loss, an unreadable RUN."""


class InterruptedEarlyError(TrainingError):
    """The user stopped training before there was anything to keep."""
