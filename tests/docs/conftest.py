"""One reader's folder for README.md and docs/: trained and exported once, whatever page asks."""

from __future__ import annotations

from itertools import groupby

import pytest
from manual import Reader, shown_commands


@pytest.fixture(scope="session")
def reader(shared, tmp_path_factory):
    """A folder with photographs and weights, as README.md says that the reader has."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "cats-dogs").symlink_to(shared("data/cats-dogs"))
    weights = shared("weights/mobilenet_v2_1.0_160_notop.weights.h5")
    (folder / "mobilenet_v2.weights.h5").symlink_to(weights)
    return Reader(folder)


@pytest.fixture(scope="session")
def followed(reader):
    """Follow all pages in order; give what each command gave, by page and line."""
    ran = {}
    for _, commands in groupby(shown_commands(), key=lambda shown: shown.page):
        ran |= reader.follow(list(commands))
    return ran
