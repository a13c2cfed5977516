"""Image files as a source of frames."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge_runtime.image.files import paths
from edge_runtime.live.records import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self


class ImageFiles:
    """The images that one command-line argument names, one frame each; see `edge_runtime.image.files.image_files`.

    Attributes:
        name: the argument.
        live: False; no image is lost.

    """

    live = False

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing; no file stays open."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield a frame for each file, without reading the file. Raise SourceError as `image_files` does."""
        for number, path in enumerate(paths(self.name)):
            yield Frame(self.name, number, path, time.time(), time.monotonic())
