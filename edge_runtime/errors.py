"""Errors that a user can mend. A command shows each in one line; anything else is a bug with a traceback."""

from __future__ import annotations


class EdgeError(Exception):
    """An expected failure: its message names the file, what is wrong and the mend."""


class SpecError(EdgeError):
    """A spec that is unreadable, incomplete or contradictory."""


class BundleError(EdgeError):
    """A bundle that is missing, damaged or does not hold what was asked for."""


class SourceError(EdgeError):
    """An image, folder or camera that cannot be read."""


class BackendUnavailable(EdgeError):  # noqa: N818 - the established name for a missing backend
    """No installed runtime can open the artifact; the message names the extra that brings one."""


class InferenceError(EdgeError):
    """The runtime refused the model file or failed while running it."""
