"""The trainer's errors that a user can fix; `edge-train` shows each in one line."""

from __future__ import annotations

from edge_runtime.errors import EdgeError


class DataError(EdgeError):
    """The data folder cannot be used for training; the message names the folder, what is wrong and how to fix it."""


class TrainingError(EdgeError):
    """Training or evaluation cannot continue: missing weights, a diverged loss, an unreadable RUN."""


class InterruptedEarlyError(TrainingError):
    """The user stopped training before the first epoch was completed."""
