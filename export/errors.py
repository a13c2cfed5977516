"""The expected failures of an export."""

from __future__ import annotations

from edge_runtime.errors import EdgeError


class ExportError(EdgeError):
    """A model that cannot be read, converted or written."""


class ParityError(EdgeError):
    """A converted file that does not decide like the trained model."""
