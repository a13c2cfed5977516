"""One folder in which the commands of README.md and docs/ are run, once for all tests."""

from __future__ import annotations

from itertools import groupby

import pytest
from manual import Reader, shown_commands


@pytest.fixture(scope="session")
def reader(shared, tmp_path_factory):
    """Prepare a folder with the photographs and weights that README.md expects."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "cats-dogs").symlink_to(shared("data/cats-dogs"))
    weights = shared("weights/mobilenet_v2_1.0_160_notop.weights.h5")
    (folder / "mobilenet_v2.weights.h5").symlink_to(weights)
    return Reader(folder)


@pytest.fixture(scope="session")
def followed(reader):
    """Run the commands of all pages in order, and return their results by page and line."""
    results = {}
    for _, commands in groupby(shown_commands(), key=lambda shown: shown.page):
        results |= reader.follow(list(commands))
    return results
