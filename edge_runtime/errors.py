"""Errors that a user can fix. A command shows each in one line; any other exception is a bug with a traceback."""

from __future__ import annotations

import errno

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class EdgeError(Exception):
    """An expected failure: its message names the file, what is wrong and how to fix it."""


class SpecError(EdgeError):
    """A spec that is unreadable, incomplete or contradictory."""


class BundleError(EdgeError):
    """A bundle that is missing or damaged, or does not contain what was requested."""


class SourceError(EdgeError):
    """An image, folder or camera that cannot be read."""


class BackendUnavailable(EdgeError):  # noqa: N818 - the established name for a missing backend
    """No installed runtime can open the artifact; the message names the extra that installs one."""


class InferenceError(EdgeError):
    """The runtime refused the model file or failed while running it."""


def one_line(problem: EdgeError) -> str:
    """Return an error's message in one line, whatever line breaks a file name or a library's message contains."""
    return " ".join(str(problem).split())
