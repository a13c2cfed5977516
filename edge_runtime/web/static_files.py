"""The files of the pages, read once."""

from __future__ import annotations

from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request

WEB, LABELLING = "edge_runtime.web", "edge_runtime.web.labelling"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def static_file(name: str, package: str = WEB) -> Callable[[Request], Response]:
    """Return a handler that responds with a file of the folder `static` of a package."""
    content = files(package).joinpath("static", name).read_bytes()
    media_type = MEDIA_TYPES[PurePath(name).suffix]
    return lambda _request: Response(content, media_type=media_type)


def static_routes(names: Iterable[str], package: str = WEB) -> list[Route]:
    """Return a route /static/NAME for each file."""
    return [Route(f"/static/{name}", static_file(name, package)) for name in names]
