"""The versions of installed libraries, without importing them."""

from __future__ import annotations


def installed_version(distribution: str) -> str | None:
    """Return a distribution's version, or None if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # takes 20 ms, which few commands need

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
