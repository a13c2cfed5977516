"""The option that names the classes."""

from __future__ import annotations

import argparse


def add_labels_option(command: argparse.ArgumentParser, meaning: str) -> None:
    """Add --labels; `meaning` completes its help."""
    command.add_argument(
        "--labels", type=_labels, default=(), metavar="A,B,…", help=f"names of the classes, with commas; {meaning}"
    )


def label(text: str) -> str:
    """Parse one label."""
    (checked,) = _labels(text.replace(",", " "))
    return checked


def _labels(text: str) -> tuple[str, ...]:
    from edge_runtime.collection.errors import CollectionError
    from edge_runtime.collection.names import check_labels

    try:
        return check_labels(text.split(","))
    except CollectionError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
