"""The error of collecting and reviewing pictures."""

from __future__ import annotations

from edge_runtime.errors import EdgeError


class CollectionError(EdgeError):
    """A folder, label or picture that cannot be used for collecting or reviewing."""


class UnknownLabelError(CollectionError):
    """A label that is not one of the classes."""
